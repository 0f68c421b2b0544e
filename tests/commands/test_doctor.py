"""What `llmcourse doctor` finds, and that it promises nothing that is not there."""

import pytest

from llmcourse.classroom.sandbox.pool import ISOLATION
from llmcourse.commands import doctor
from llmcourse.commands.doctor import examine


def test_a_missing_data_folder_is_named_with_what_to_do(tmp_path, monkeypatch, call):
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / "nowhere"))
    output = call("doctor").output
    for word in ("tensorflow", "memory", "digits", "isolation", "unset LLMCOURSE_DATA"):
        assert word in output


def test_isolation_is_what_grade_offers(monkeypatch):
    monkeypatch.setattr(doctor, "_device", lambda: ())
    found = [finding.text for finding in examine() if finding.name in ("isolation", "")]
    assert found[: len(ISOLATION)] == list(ISOLATION.values())
    assert any("not there yet" in text for text in found) == ("strict" not in ISOLATION)


def test_keras_that_cannot_be_imported_is_serious_and_the_rest_is_still_looked_at(monkeypatch):
    def fail():
        raise RuntimeError("KERAS_BACKEND must name a backend that is installed. Received: 'theano'.")

    monkeypatch.setattr(doctor, "load_keras", fail)
    found = {finding.name: finding for finding in examine()}
    assert found["Keras"].serious and "theano" in found["Keras"].text
    assert "memory" in found and "JupyterLab" in found


@pytest.mark.parametrize("name", ["tensorflow", "keras", "numpy", "matplotlib"])
def test_versions_are_listed(name, monkeypatch):
    monkeypatch.setattr(doctor, "_device", lambda: ())
    from importlib.metadata import version

    assert version(name) in [finding.text for finding in examine() if finding.name == name]
