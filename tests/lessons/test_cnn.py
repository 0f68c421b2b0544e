"""The numbers in the text of the lesson `cnn` are those of its outputs."""

import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("cnn")


def test_two_softmaxes_stop_at_1_46(notebook):
    assert notebook.said(r"If the loss of ten classes stops near (\d\.\d+),") == 1.46
    assert notebook.shown(r"taken for logits:\s+loss (\S+)") == 1.46


def test_the_network_has_a_third_of_the_parameters(notebook):
    assert "It has a third of the parameters" in notebook.prose
    assert notebook.shown(r"parameters: (\S+); the network") / 101_770 == pytest.approx(1 / 3, abs=0.01)


def test_f1_sees_through_false_alarms(notebook):
    praised, f1 = r'the "mean" praises 40 false alarms with (0\.\d+);', r"; F1 says (0\.\d+)\."
    assert notebook.said(praised) == notebook.shown(r"with 40 false alarms.*\s(\S+)\n")
    assert notebook.said(f1) == notebook.shown(r"with 40 false alarms\s+\S+\s+\S+\s+\S+\s+(\S+)")


def test_pooling_keeps_more_in_place_than_the_image_does(notebook):
    image, pooled = (
        notebook.shown(r"the image itself: (\S+) stay"),
        notebook.shown(r"pooled by 4: \(7, 7\), (\S+) stay"),
    )
    assert image < pooled


def test_the_advance_of_convolution_is_gone_on_shuffled_digits(notebook):
    digits = notebook.shown(r"is ahead by (\S+) points on digits")
    shuffled = notebook.shown(r"on digits and by (\S+) on shuffled digits")
    assert digits >= 1 > shuffled


def test_the_best_epoch_is_not_the_last(notebook):
    assert notebook.shown(r"trained for (\d+) epochs") > notebook.shown(r"epochs, kept epoch (\d+)")
