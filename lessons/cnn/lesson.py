# %% [markdown]
# # Convolution: networks that see
#
# In the last lesson a network learned to read digits, and it treated each image as a list of 784 numbers. It did not
# know which pixels are neighbours. Here you build a network that does. It has a third of the parameters and makes about
# half as many mistakes. On the way you learn how to train a network honestly, how to say
# how good it is, and how to save it and use it again.
#
# **What you will be able to do**
#
# - say what a convolution computes, with the shape of every array, and write it in NumPy with padding and stride, forward
#   and backward;
# - explain why it needs so few parameters, and how far a deep network sees (its receptive field);
# - build a network with batch normalisation, dropout and augmentation, and know which of them rest when it is used;
# - judge a classifier with a confusion matrix, precision, recall and F1, and not be fooled by accuracy;
# - train with a validation set, keep the best epoch, save the model, load it again, and look at the test set once.
#
# **What you need:** the lessons `mlp` and `backprop`: layers, ReLU, softmax and cross-entropy, the gradient check,
# mini-batches, overfitting, and how a Keras model is built. No graphics card.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | Images are not lists | 10 | |
# | 2 | Getting the data ready | 15 | 1 `prepare` |
# | 3 | Convolution, forward and backward | 70 | 2 `conv2d`, 3 `conv2d_backward` |
# | 4 | Pooling, and how far a network sees | 45 | 4 `max_pool2d`, 5 `max_pool2d_backward` |
# | 5 | A network that sees | 45 | 6 `build_cnn` |
# | 6 | Which mistakes? The confusion matrix | 10 | 7 `confusion_matrix` |
# | 7 | Precision, recall, F1 | 15 | 8 `precision_recall_f1` |
# | 8 | Train, choose, save, and test once | 30 | 9 `train_and_save` |
#
# Sections whose heading begins with *For those who want more* are not counted in these minutes, and nothing later needs
# them.
#
# As before: replace `raise NotImplementedError` by your code, run the cell, then run the `check` cell below it. Each
# time you ask it gives one hint more. If you are stuck, go on: later cells use tested versions from the package, such
# as `steps.conv2d`.
#
# **Letters.** `N` is the number of images, `height` and `width` their size, `channels` the number of values for each
# pixel (1 for grey, 3 for colour), `F` the number of filters, and `C` the number of classes. An array of images has the
# shape `(N, height, width, channels)`; the channels come last. Four more letters are about one direction, height or width:
# `L` is the length of a row or a column in pixels, `w` that of the window that slides over it, `s` the stride, and `m` the
# number of results.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

import numpy as np

from llmcourse import lesson, plots, setup
from llmcourse.data import load_mnist
from llmcourse.models import cnn
from llmcourse import steps

setup(seed=0)
check = lesson("cnn")

import keras

# %% [markdown]
# ## 1. Images are not lists
#
# Take the digits of the last lesson. Draw one random order of the 784 pixels, and rearrange **all** images in this same
# order:

# %% tags=["explore"]
digits = load_mnist("small")
order = np.random.default_rng(0).permutation(784)
ten = np.stack([digits.x_train[digits.y_train == c][0] for c in range(10)])  # (10, 28, 28)
shuffled = ten.reshape(10, 784)[:, order].reshape(10, 28, 28)
plots.digits(
    np.concatenate([ten, shuffled]),
    np.tile(np.arange(10), 2),
    title="Ten digits, and the same ten with all pixels shuffled in one way",
)

# %% [markdown]
# > **Think first.** You train the network of the last lesson, 784 → 128 → 10, on the shuffled digits. How much worse
# > does it get? And you?
#
# <details>
# <summary>Answer</summary>
#
# It does not get worse at all. Shuffle the rows of $W_1$ in the same way and $X W_1$ is the same as before; since the
# first weights are random anyway, the network cannot tell the difference. You can read the upper row at once and the
# lower one hardly at all. So there must be something in images that you use and this network does not: **which pixels
# are neighbours**.
#
# </details>
#
# Two facts about images are worth building into a network:
#
# 1. **Locality.** What a pixel means depends on the pixels near it. An edge, a corner, the end of a stroke are small
#    things of a few pixels.
# 2. **The same thing can be anywhere.** An edge at the top left looks like an edge at the bottom right. What has been
#    learned about one place should hold in all others.
#
# A dense layer knows neither: each unit has its own weight for each of the 784 pixels, and what one unit learns about
# one place helps no other. A **convolution** knows both: it looks at a small window, always with the same few weights,
# and slides the window over the whole image.
#
# | layer for a 28 × 28 image | weights | what comes out |
# | --- | ---: | --- |
# | dense, 128 units | 784 · 128 + 128 = 100,480 | 128 numbers |
# | convolution, 16 filters of 5 × 5 | 5 · 5 · 1 · 16 + 16 = 416 | 16 images of 28 × 28: 12,544 numbers |
# | dense, as many numbers as the convolution | 784 · 12,544 + 12,544 ≈ 9.8 million | 12,544 numbers |
#
# The last row is the fair comparison. A convolution *is* a dense layer in which nearly all weights are 0 (locality)
# and the others are equal from place to place (**shared weights**). That is how 9.8 million become 416.

# %% [markdown]
# ## 2. Getting the data ready
#
# Three small things, and each of them is often forgotten.
#
# **The channel axis.** A convolution expects `(N, height, width, channels)`. Our grey images have the shape
# `(N, 28, 28)`. They need a last axis of length 1. What happens without it?

# %% tags=["explore"]
layer = keras.layers.Conv2D(filters=4, kernel_size=3)
try:
    layer(digits.x_train[:2] / 255)  # (2, 28, 28): no channel axis
except ValueError as error:
    print("ValueError, and it says:", "expected min_ndim=4, found ndim=3" in str(error))
print("with the axis:", layer(digits.x_train[:2, ..., np.newaxis] / 255).shape)

# %% [markdown]
# A single layer complains. A whole model with `keras.Input((28, 28, 1))` is kinder and adds the missing axis by itself,
# so the mistake often shows only later and elsewhere.
#
# **The range.** Pixels are bytes from 0 to 255. Weights begin as small random numbers for inputs of about size 1, so we
# divide by 255. This number belongs to the *format*, not to the data: whoever divides by the largest pixel that happens
# to occur treats two images differently. And NumPy makes float64 of `bytes / 255`; Keras computes in float32, with half
# the memory.
#
# **The labels.** In the last lesson they were the class numbers, and row $n$ of $Y$, shape $(N, C)$, had a 1 in column
# $y_n$ and 0 elsewhere: **one-hot** rows. Here we write these rows out. Both ways are common; each has its own loss in
# Keras:
#
# | labels | shape | loss |
# | --- | --- | --- |
# | class numbers | (N,) | `SparseCategoricalCrossentropy(from_logits=True)` |
# | one-hot rows | (N, C) | `CategoricalCrossentropy(from_logits=True)` |
#
# A tool that helps: `np.eye(10)` is the 10 × 10 array with ones on the diagonal, and an array of integers as an index
# picks whole rows: `np.eye(3)[np.array([2, 0])]` is `[[0, 0, 1], [1, 0, 0]]`.

# %% [markdown]
# ### Exercise 1: prepare images and labels


# %% exercise="prepare" forbid=["llmcourse.steps.cnn.prepare"]
def prepare(images, labels):
    """Turn images of bytes and class numbers into what a convolutional network takes.

    Args:
        images: uint8 array (N, 28, 28), from 0 to 255; it stays as it is.
        labels: integer array (N,), from 0 to 9; not all of the ten need occur.

    Returns:
        A pair: the images as float32 array (N, 28, 28, 1), each pixel divided by 255; and the labels as one-hot float32
        array (N, 10).
    """
    ### BEGIN SOLUTION
    x = images[..., np.newaxis].astype(np.float32) / 255
    y = np.eye(10, dtype=np.float32)[labels]
    return x, y
    ### END SOLUTION


# %% check="prepare"
check("prepare")

# %% [markdown]
# ### A look at what it did: three sets
#
# From now on we keep **three** sets apart. The network learns from the first 3,200 digits. The last 800 of the training
# digits are for choosing, and are called the **validation** set. The 1,000 test digits stay in their drawer until the
# very end; part 8 says why.

# %% tags=["explore"]
x_train, y_train = steps.prepare(digits.x_train[:3200], digits.y_train[:3200])
x_val, y_val = steps.prepare(digits.x_train[3200:], digits.y_train[3200:])
print("to learn from:", x_train.shape, x_train.dtype, "from", x_train.min(), "to", x_train.max())
print("to choose by: ", x_val.shape, "  labels:", y_val.shape)
print("the label", digits.y_train[0], "is now", y_train[0])

# %% [markdown]
# **Common mistakes**
#
# - No channel axis, or the channels in front: `(N, 1, 28, 28)` is the order of another library.
# - `images / images.max()`: right by luck, as long as one pixel is 255.
# - One-hot rows with as many columns as classes *occur*. A batch without a 9 then gets 9 columns.

# %% [markdown]
# ## 3. Convolution
#
# A **kernel** (or filter) is a small array of weights, for example 2 × 2. We lay it over the image at the top left,
# multiply each weight by the pixel under it, and add up: one number. Then we move it one pixel to the right, and so on,
# row by row. A small example:
#
# $$
# \begin{pmatrix} 0 & 0 & 1 & 1 \\ 0 & 0 & 1 & 1 \\ 0 & 0 & 1 & 1 \end{pmatrix}
# \;\ast\;
# \begin{pmatrix} -1 & 1 \\ -1 & 1 \end{pmatrix}
# \;=\;
# \begin{pmatrix} 0 & 2 & 0 \\ 0 & 2 & 0 \end{pmatrix}
# $$
#
# The window fits three times from left to right and twice from top to bottom, so the result is 2 × 3. In the first
# place all four pixels are 0: the sum is 0. In the second, the left column of the window is 0 and the right one is 1:
# $-0 + 1 - 0 + 1 = 2$. In the third all are 1: $-1 + 1 - 1 + 1 = 0$. **This kernel finds vertical edges**: it answers
# where it gets brighter from left to right, and nowhere else.
#
# Now a real digit, and a kernel of 3 × 3 that answers to horizontal edges, where there is ink above and paper below:

# %% tags=["explore"]
ink_above = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])
seven = digits.x_train[digits.y_train == 7][0] / 255  # (28, 28)
plots.convolution_steps(seven, ink_above, places=[(5, 5), (7, 6), (19, 15)])

# %% [markdown]
# The result is again an image, called a **feature map**: it says at each place how strongly the feature is present.
#
# ### All of it at once: channels, filters, images
#
# A colour image has three channels, and a deeper layer has as many as the layer before it had filters. The window then
# reaches through **all** channels: the kernel of one filter has the shape `(kh, kw, channels)`, and its answer is still
# one number, the sum over rows, columns *and* channels. With F filters there are F answers at each place, so the result
# has F channels. All filters together are one array of shape `(kh, kw, channels, F)`:
#
# $$
# \underbrace{\text{out}[n, r, c, f]}_{(N,\ \text{height}',\ \text{width}',\ F)}
# = \sum_{i=0}^{kh-1}\ \sum_{j=0}^{kw-1}\ \sum_{d=0}^{\text{channels}-1}
# \underbrace{x[n,\; r + i,\; c + j,\; d]}_{(N,\ \text{height},\ \text{width},\ \text{channels})}
# \cdot \underbrace{k[i, j, d, f]}_{(kh,\ kw,\ \text{channels},\ F)}
# $$
#
# Here $n$ is the image, $(r, c)$ the place of the result, $f$ the filter, $(i, j)$ the place within the window, and $d$
# the channel. (A layer in Keras also adds one bias for each filter. We leave it out here; it is one more `+`.)
#
# In mathematics a convolution also flips the kernel, from left to right and from top to bottom. In deep learning
# nobody does: the weights are learned, and a flipped kernel is learned just as well.

# %% [markdown]
# ### Stride and padding
#
# Two settings decide how large the result is. Look at one direction, a row or a column of $L$ pixels, with a window of $w$
# pixels; $m$ is the number of results.
#
# **Stride** $s$: move the window by $s$ pixels each time instead of 1. Window number $r$ begins at pixel $r \cdot s$,
# so in the formula above $r + i$ becomes $r\,s + i$, and $c + j$ becomes $c\,s + j$.
#
# **Padding.** `"valid"` means: the window stays inside the image. `"same"` means: add zeros around the image, so that
# with stride 1 the result is as large as the image. With $\lfloor\cdot\rfloor$ for rounding down and
# $\lceil\cdot\rceil$ for rounding up:
#
# | padding | number of results | zeros that are added |
# | --- | --- | --- |
# | `"valid"` | $m = \lfloor (L - w)/s \rfloor + 1$ | none |
# | `"same"` | $m = \lceil L/s \rceil$ | $t = \max\bigl((m - 1)\,s + w - L,\; 0\bigr)$ in all |
#
# Where does $t$ come from? The last window begins at $(m-1)\,s$ and ends at $(m-1)\,s + w$. What it needs beyond $L$ is
# missing. Of the $t$ zeros, $\lfloor t/2 \rfloor$ come first (at the top, at the left), and **the rest at the end** (at
# the bottom, at the right). If $t$ is odd, there is one more at the end.

# %% tags=["explore"]
plots.padding_and_stride(size=6, kernel=3)

# %% [markdown]
# > **Think first.** Seven pixels, a window of 4, stride 2, padding `"same"`. How many results, and how many zeros on
# > each side?
#
# <details>
# <summary>Answer</summary>
#
# $m = \lceil 7/2 \rceil = 4$ results. $t = 3 \cdot 2 + 4 - 7 = 3$ zeros: 1 before, 2 after. The windows begin at pixels
# −1, 1, 3 and 5.
#
# </details>
#
# ### Writing it fast
#
# The formula asks for seven nested loops. In Python that is far too slow; but you need only **two** of them, over the
# places $(i, j)$ of the kernel, and there are only 9 or 25 of those. For a fixed $(i, j)$, the pixels that lie under
# this place of the window, **for all positions of the window at once**, are a slice of the image, and the sum over the
# channels for all filters is a matrix product:
#
# - `x[:, i : i + rows, j : j + columns]` has shape `(N, rows, columns, channels)` (for stride 1);
# - `kernel[i, j]` has shape `(channels, F)`;
# - `... @ ...` of these two has shape `(N, rows, columns, F)`, which is the shape of the result. Add up over $(i, j)$.
#
# For a stride, a slice takes a third number: `x[start : stop : step]`. The last element that you want is
# `i + (rows - 1) * stride`, so `stop` is one more than that.
#
# Zeros around an array: `np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])`, a pair for each axis. Rounding
# up, without floats: `-(-n // s)`.
#
# ### Exercise 2: convolution
#
# Begin with `"valid"` and stride 1, run the check, and then add the stride and the padding. `padding` is one of the two
# texts `"valid"` and `"same"`.


# %% exercise="conv2d" forbid=["llmcourse.steps.cnn.conv2d", "keras.ops.conv", "keras.ops.depthwise_conv", "keras.layers.Conv2D", "tensorflow.nn.conv2d", "tensorflow.nn.convolution", "scipy.signal.convolve2d", "scipy.signal.correlate2d", "scipy.signal.correlate", "scipy.signal.convolve", "scipy.ndimage.correlate", "scipy.ndimage.convolve"]
def conv2d(x, kernel, stride=1, padding="valid"):
    """Slide filters over images and compute at each place the sum of products.

    Args:
        x: float array (N, height, width, channels); it stays as it is.
        kernel: float array (kh, kw, channels, F), F filters that are not flipped.
        stride: by how many pixels the window moves, 1 or more, in both directions.
        padding: "valid": no zeros; "same": as many zeros as make ceil(height / stride) rows and ceil(width / stride)
            columns, and of an odd number one more at the bottom or at the right.

    Returns:
        Float array (N, height', width', F).
    """
    ### BEGIN SOLUTION
    count, height, width, _ = x.shape
    kh, kw, _, filters = kernel.shape
    if padding == "same":
        rows, columns = -(-height // stride), -(-width // stride)
        down = max((rows - 1) * stride + kh - height, 0)  # rows of zeros in all
        across = max((columns - 1) * stride + kw - width, 0)
        top, left = down // 2, across // 2
        x = np.pad(x, [(0, 0), (top, down - top), (left, across - left), (0, 0)])
    else:
        rows, columns = (height - kh) // stride + 1, (width - kw) // stride + 1
    result = np.zeros((count, rows, columns, filters))
    for i in range(kh):
        for j in range(kw):
            under = x[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
            result += under @ kernel[i, j]  # (N, rows, columns, channels) @ (channels, F)
    return result
    ### END SOLUTION


# %% check="conv2d"
check("conv2d")

# %% [markdown]
# ### A look at what it did: four edges
#
# Is it really what Keras computes? And what do four kernels for four kinds of edges see in a digit?

# %% tags=["explore"]
rng = np.random.default_rng(0)
x, kernel = rng.normal(size=(2, 9, 8, 3)), rng.normal(size=(4, 3, 3, 5))
for padding in ("valid", "same"):
    for stride in (1, 2, 3):
        ours = steps.conv2d(x, kernel, stride, padding)
        keras_result = np.asarray(keras.ops.conv(x.astype("float32"), kernel.astype("float32"), stride, padding))
        print(f"{padding:5s} stride {stride}: {ours.shape}, as in Keras: {np.allclose(ours, keras_result, atol=1e-4)}")

# %% tags=["explore"]
edges = {"ink above": ink_above, "ink below": -ink_above, "ink left": ink_above.T, "ink right": -ink_above.T}
kernels = np.stack(list(edges.values()), axis=-1)[:, :, np.newaxis]  # (3, 3, 1, 4)
maps = steps.conv2d(seven[np.newaxis, :, :, np.newaxis], kernels, 1, "same")  # (1, 28, 28, 4)
plots.feature_maps(seven, np.maximum(maps[0], 0), kernels[:, :, 0], names=list(edges), title="Four kernels, four edges")

# %% [markdown]
# We chose these kernels by hand. In a network they are weights like all others: backpropagation finds them. (The
# gradient is no new idea either: each weight is used at many places, so its gradient is the sum over all of them.)
#
# **Common mistakes**
#
# - Height and width exchanged. With square images and kernels nobody notices, until the first image that is not square.
# - $\lfloor (L-w)/s \rfloor$ without the $+1$. Count the fence posts, not the gaps.
# - $\lfloor w/2 \rfloor$ zeros on both sides for `"same"`. That is right for odd kernels and stride 1 only.
# - A separate result for each channel. One filter adds up over all channels.

# %% [markdown]
# ### The way back through a convolution
#
# A convolution is affine, so its gradients come from the question of the last lesson: **which entries of the result does a
# number touch, and with which factor?** Let $\delta = \partial J/\partial\,\text{out}$ be the upstream gradient, shape
# $(N, \text{height}', \text{width}', F)$; stride 1 and no padding.
#
# - The weight $k[i, j, d, f]$ touches the result at *every* place $(r, c)$ of every image, with the factor
#   $x[n, r + i, c + j, d]$. So its gradient is the sum over all of them:
#   $$\frac{\partial J}{\partial k[i, j, d, f]} = \sum_{n, r, c} x[n, r + i, c + j, d]\; \delta[n, r, c, f]$$
# - The pixel $x[n, r + i, c + j, d]$ touches the result at $(r, c)$ with the factor $k[i, j, d, f]$, and it lies under
#   several windows. Its gradient adds up over all places $(i, j)$ of the kernel and all filters.
#
# In code it is the loop over $(i, j)$ again. With the slice `window = x[:, i : i + rows, j : j + columns]`, the first is a
# sum of products, `np.einsum("nrcd,nrcf->df", window, upstream)` (letters that are missing on the right are summed over),
# and the second adds `upstream @ kernel[i, j].T` **to the same slice** of the gradient by `x`.
#
# > **Think first.** A pixel in the corner of the image, and one in the middle: which gets more shares?
#
# <details>
# <summary>Answer</summary>
#
# The one in the middle: it lies under $kh \cdot kw$ windows, the one in the corner under a single one.
#
# </details>
#
# ### Exercise 3: the gradients of a convolution


# %% exercise="conv2d_backward" forbid=["llmcourse.steps.cnn.conv2d_backward"]
def conv2d_backward(upstream, x, kernel):
    """Carry a gradient back through conv2d(x, kernel), with stride 1 and padding "valid".

    Args:
        upstream: float array (N, height - kh + 1, width - kw + 1, F), the derivative of the loss by the result.
        x: float array (N, height, width, channels); it stays as it is.
        kernel: float array (kh, kw, channels, F); it stays as it is.

    Returns:
        A pair of float arrays: the derivative of the loss by x, with the shape of x, and by kernel, with its shape.
    """
    ### BEGIN SOLUTION
    kh, kw = kernel.shape[:2]
    rows, columns = upstream.shape[1:3]
    grad_x, grad_kernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for i in range(kh):
        for j in range(kw):
            window = x[:, i : i + rows, j : j + columns]  # (N, rows, columns, channels)
            grad_kernel[i, j] = np.einsum("nrcd,nrcf->df", window, upstream)
            grad_x[:, i : i + rows, j : j + columns] += upstream @ kernel[i, j].T
    return grad_x, grad_kernel
    ### END SOLUTION


# %% check="conv2d_backward"
check("conv2d_backward")

# %% [markdown]
# ### A look at what it did: the gradient check of the last lesson

# %% tags=["explore"]
rng = np.random.default_rng(2)
params = {"x": rng.normal(size=(2, 5, 6, 3)), "kernel": rng.normal(size=(3, 2, 3, 4))}
upstream = rng.normal(size=(2, 3, 5, 4))  # the numbers by which the results are weighed in the loss
grad_x, grad_kernel = steps.conv2d_backward(upstream, **params)


def weighed_sum(params):
    """Give a loss whose derivative by the result is upstream."""
    return (steps.conv2d(params["x"], params["kernel"]) * upstream).sum()


error = steps.gradient_check(weighed_sum, params, {"x": grad_x, "kernel": grad_kernel})
print("the gradients are right:", error < 1e-6)

# %% [markdown]
# ## 4. Pooling, and how far a network sees
#
# After a convolution we know *where* each feature is, to the pixel. For recognising a 7 that is more than we need.
# **Max pooling** cuts the feature map into squares of, say, 2 × 2 pixels and keeps the largest value of each: "was the
# feature anywhere in this square?"
#
# $$
# \begin{pmatrix} 1 & 3 & 0 & 2 & 9 \\ 4 & 2 & 1 & 0 & 9 \\ 0 & 0 & 5 & 6 & 9 \\ 0 & 1 & 7 & 5 & 9 \end{pmatrix}
# \;\longrightarrow\;
# \begin{pmatrix} 4 & 2 \\ 1 & 7 \end{pmatrix}
# $$
#
# The squares do not overlap. The fifth column fills no square and is **dropped**. Each channel is pooled by itself, so
# `(N, height, width, channels)` becomes `(N, height // size, width // size, channels)`. Two things are gained: the next
# layers have four times less to do, and if a feature moves by a pixel inside its square, nothing changes at all.
#
# There is nothing to learn in pooling; it has no weights. A convolution with stride 2 halves the image as well, and
# does not even compute the values that pooling would throw away. Many modern networks use that instead.
#
# ### How far does a network see?
#
# One value after a 3 × 3 convolution depends on 3 × 3 pixels. Put a second 3 × 3 convolution on top, and its value
# depends on 3 × 3 values of the first, that is, on 5 × 5 pixels. What a value depends on is its **receptive field**. It
# grows faster where strides and pooling make the steps larger. Let $R$ be its side, and $\Delta$ the **jump**: by how many
# pixels of the image neighbouring values of the layer are apart. At the image itself $R = 1$ and $\Delta = 1$. Each layer
# with a window of $w$ and stride $s$ changes them (pooling with size $p$ counts as $w = s = p$):
#
# $$R \leftarrow R + (w - 1)\, \Delta \qquad\text{then}\qquad \Delta \leftarrow \Delta\, s$$
#
# For convolution 3 × 3, pooling 2, convolution 3 × 3, pooling 2: $R = 1 + 2 = 3$; then $3 + 1 = 4$ and $\Delta = 2$; then
# $4 + 2 \cdot 2 = 8$; then $8 + 1 \cdot 2 = 10$ and $\Delta = 4$. From a few pixels in the first layer to strokes in the
# second and whole digits in the dense layer at the end: small things are put together to larger ones.

# %% tags=["explore"]
plots.receptive_field([("convolution", 3, 1), ("pooling", 2, 2), ("convolution", 3, 1), ("pooling", 2, 2)], size=22)

# %% [markdown]
# > **Think first.** How far does one value see after three convolutions with stride 2, the first of 5 × 5, the others of
# > 3 × 3?
#
# <details>
# <summary>Answer</summary>
#
# $R = 1 + 4 = 5$, $\Delta = 2$; then $R = 5 + 2 \cdot 2 = 9$, $\Delta = 4$; then $R = 9 + 2 \cdot 4 = 17$, $\Delta = 8$.
# Seventeen pixels in three layers, most of a digit. The network of the package, which we train in part 5, is built like
# this.
#
# </details>
#
# ### Exercise 4: max pooling
#
# A hint on tools: `x.reshape(N, rows, size, columns, size, channels)` splits the axis of height into *which square* and
# *which row in the square*, and the same for the width. `.max(axis=(2, 4))` takes the maximum over two axes at once.


# %% exercise="max_pool2d" forbid=["llmcourse.steps.cnn.max_pool2d", "keras.ops.max_pool", "keras.layers.MaxPooling2D", "tensorflow.nn.max_pool2d", "tensorflow.nn.max_pool", "skimage.measure.block_reduce"]
def max_pool2d(x, size):
    """Keep the largest value of each square of size by size pixels, in each channel by itself.

    Args:
        x: float array (N, height, width, channels); it stays as it is.
        size: side of a square, 1 or more.

    Returns:
        Float array (N, height // size, width // size, channels). Rows at the bottom and columns at the right that fill
        no square are dropped.
    """
    ### BEGIN SOLUTION
    count, height, width, channels = x.shape
    rows, columns = height // size, width // size
    whole = x[:, : rows * size, : columns * size]
    return whole.reshape(count, rows, size, columns, size, channels).max(axis=(2, 4))
    ### END SOLUTION


# %% check="max_pool2d"
check("max_pool2d")

# %% [markdown]
# ### For those who want more: moved by one pixel
#
# We move the seven one pixel to the right, and ask which share of the ink above 0.5 still lies where it lay: in the
# image itself, and in its edges after pooling.

# %% tags=["explore"]


def share_that_stays(before, after):
    """Give the share of the values above 0.5 in `before` that are above 0.5 in `after`, too."""
    return ((before > 0.5) & (after > 0.5)).sum() / (before > 0.5).sum()


both = np.stack([seven, np.roll(seven, 1, axis=1)])[..., np.newaxis]  # (2, 28, 28, 1)
print(f"the image itself: {share_that_stays(*both):.2f} stay in their place")
edges_of_both = steps.conv2d(both, kernels, 1, "same")  # (2, 28, 28, 4)
for size in (1, 2, 4):
    pooled = steps.max_pool2d(edges_of_both, size)
    print(f"edges, pooled by {size}: {pooled.shape[1:3]}, {share_that_stays(*pooled):.2f} stay in their place")

# %% [markdown]
# **Common mistakes**
#
# - Padding with zeros where something is left over. If all values are negative, the 0 wins.
# - A maximum over the channels. Each channel is another feature; they must not be mixed here.
# - `reshape` with the axes in another order. `(N, size, rows, ...)` is also possible, and takes rows that are far apart.

# %% [markdown]
# ### The way back through pooling
#
# The result of a square depends on its largest value alone. So that place gets the whole gradient of the square, and all
# others get 0: **pooling hands the gradient to the winner**. Rows and columns that filled no square get 0 as well.
#
# To find the winners, spread each pooled value over its square and compare with `x`. `a.repeat(size, axis=1)` repeats each
# row `size` times, and the same with `axis=2` for the columns.
#
# ### Exercise 5: the gradient of max pooling


# %% exercise="max_pool2d_backward" forbid=["llmcourse.steps.cnn.max_pool2d_backward"]
def max_pool2d_backward(upstream, x, size):
    """Carry a gradient back through max_pool2d(x, size).

    Args:
        upstream: float array (N, height // size, width // size, channels), the derivative of the loss by the result.
        x: float array (N, height, width, channels), in which no two values are equal; it stays as it is.
        size: side of a square, 1 or more.

    Returns:
        Float array with the shape of x, the derivative of the loss by x.
    """
    ### BEGIN SOLUTION
    pooled = steps.max_pool2d(x, size)
    rows, columns = pooled.shape[1] * size, pooled.shape[2] * size  # those that belong to a square
    largest = pooled.repeat(size, axis=1).repeat(size, axis=2)
    shares = upstream.repeat(size, axis=1).repeat(size, axis=2)
    grad = np.zeros(x.shape)
    grad[:, :rows, :columns] = shares * (x[:, :rows, :columns] == largest)
    return grad
    ### END SOLUTION


# %% check="max_pool2d_backward"
check("max_pool2d_backward")

# %% [markdown]
# ## 5. A network that sees
#
# The usual plan: some **blocks** that each make the image smaller and the number of channels larger, then `Flatten`, and
# a dense layer to the ten logits. A block is a convolution, a normalisation, a ReLU, and pooling (or a stride of 2 in
# the convolution). In shapes:
#
# $$
# (N, 28, 28, 1) \to (N, 14, 14, 16) \to (N, 7, 7, 32) \to \underbrace{(N, 1568)}_{\text{Flatten: } 7 \cdot 7 \cdot 32}
# \to (N, 10)
# $$
#
# Three helpers are new. Each of them behaves **differently in training and in use**.
#
# **Batch normalisation** keeps the signals at a good size from layer to layer. For each channel it subtracts the mean
# $\mu$ and divides by the standard deviation $\sigma$, both taken over all images of the batch and all places; then it
# multiplies by a learned number $\gamma$ and adds a learned number $\beta$, so that nothing is lost:
#
# $$\text{out} = \gamma\, \frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta$$
#
# The small $\varepsilon = 0.001$ prevents division by zero. Learning gets faster, with larger learning rates. **In use**
# there may be just one image, so $\mu$ and $\sigma^2$ are then running averages that were collected in training, and an
# image is judged by itself. How fast these averages follow is set by `momentum` (not the momentum of the last lesson, which
# moves parameters; this one is the share of the old average that is kept in each step). For short trainings 0.9 is better
# than Keras' 0.99. The bias of the convolution before it can go (`use_bias=False`), since $\mu$ would remove it again.
#
# **Dropout** sets a random share of the values to 0 **in training**, other ones in each step, and multiplies the others
# by $1/(1 - \text{share})$, so that the sum stays about the same. No unit can rely on another one being there, which
# makes learning by heart harder. **In use** it does nothing.
#
# **Augmentation** makes more data out of what we have: **in training**, each image is moved by a random pixel or two,
# turned or enlarged a little, other ones in each epoch. The label stays the same. This is only allowed for changes
# after which a human would still say the same: a digit that is moved is the same digit; a mirrored one is none.

# %% tags=["explore"]
move = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=1)  # up to 8 % of 28 pixels, then zeros
moved = np.concatenate([np.asarray(move(x_train[:10], training=True))[..., 0] for _ in range(3)])
plots.digits(
    np.concatenate([x_train[:10, ..., 0], moved]),
    np.tile(digits.y_train[:10], 4),
    title="Ten digits, and what augmentation made of them three times",
)

# %% [markdown]
# In Keras these are `keras.layers.BatchNormalization(momentum=0.9)`, `keras.layers.Dropout(share)` and
# `keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant")` (also `RandomRotation`, `RandomZoom`). `model.fit`
# tells the layers that they are in training, `model.predict(x)` and `model.evaluate(...)` tell them that they are not. If
# you call the model yourself, **say which you mean**: `model(x, training=False)` in use, `model(x, training=True)` to see
# what happens in training. For if nothing is said, `Dropout` rests, and `RandomTranslation` does not:

# %% tags=["explore"]
one = x_train[:1]
for name, layer in {"Dropout": keras.layers.Dropout(0.5), "RandomTranslation": move}.items():
    for said, choice in {"nothing said": {}, "training=False": {"training": False}}.items():
        same = all(np.array_equal(layer(one, **choice), one) for _ in range(5))
        print(f"{name:18s} {said:15s} the image stays as it is: {same}")

# %% [markdown]
# And do not write `training=True` *inside* a model. A plain `model(x)` obeys it, and the same image gets another answer each
# time, while `model.predict(x)` overrules it: one network with two kinds of answers.
#
# ### Exercise 6: build the network
#
# Two blocks or more, at most 300,000 parameters. A convolution of 16 filters of 5 × 5 with stride 2 is
# `keras.layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False)`; pooling would be `keras.layers.MaxPooling2D(2)`.
# A good start: such a convolution, `BatchNormalization`, `keras.layers.ReLU()`; the same again with 32 filters of 3 × 3;
# then `keras.layers.Flatten()`, `Dropout` and `Dense(10)`. The images come as `prepare` makes them, from 0 to 1.


# %% exercise="build_cnn" forbid=["llmcourse.models.cnn.build_small_cnn", "llmcourse.models.cnn.build_classic_cnn"]
def build_cnn(dropout, augment):
    """Build a convolutional network for digits in Keras.

    Args:
        dropout: number from 0 to less than 1, the share of values that a Dropout layer sets to 0 in training.
        augment: True or False; if True, each image is moved a little in training (by at most a quarter of its size), or
            turned (by at most a tenth of a full turn), or zoomed (by at most 30 %).

    Returns:
        A new keras.Model that maps images (N, 28, 28, 1), from 0 to 1, to logits (N, 10), without a softmax:
        - at least two convolutions, each followed by a ReLU or another bend;
        - a stride or pooling that makes the image smaller;
        - at most 300,000 parameters, all of which learn (but for the averages of a normalisation);
        - with training=False, and in predict, no random numbers play a part.
    """
    ### BEGIN SOLUTION
    stack = [keras.Input((28, 28, 1))]
    if augment:
        stack.append(keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant"))
    for filters, size in ((16, 5), (32, 3)):
        stack.append(keras.layers.Conv2D(filters, size, strides=2, padding="same", use_bias=False))
        stack.append(keras.layers.BatchNormalization(momentum=0.9))
        stack.append(keras.layers.ReLU())
    stack.append(keras.layers.Flatten())
    stack.append(keras.layers.Dropout(dropout))
    stack.append(keras.layers.Dense(10))
    return keras.Sequential(stack)
    ### END SOLUTION


# %% check="build_cnn"
check("build_cnn")

# %% [markdown]
# ### Adam
#
# One more tool, the optimizer. Momentum, from the last lesson, adds up gradients, older ones with ever smaller
# weights. **Adam** keeps for each parameter $p$ a running *average* $m$ of its gradient $g$ (here not the number of results),
# and another one, $v$, of the square of $g$, and divides the first by the root of the second:
#
# $$
# m \leftarrow 0.9\, m + 0.1\, g \qquad
# v \leftarrow 0.999\, v + 0.001\, g^2 \qquad
# p \leftarrow p - \text{lr} \cdot \frac{\hat m}{\sqrt{\hat v} + \varepsilon}
# $$
#
# ($\hat m$ and $\hat v$ are $m$ and $v$ divided by $1 - 0.9^t$ and $1 - 0.999^t$ in step $t$: both begin at 0, and this
# makes up for it. $\varepsilon$ is tiny.) So every parameter moves by about the learning rate in each step, whether its
# gradients are large or small. That makes Adam less sensitive to the learning rate; 0.001 to 0.003 suits most small
# networks.
#
# ### A look at what it did: three epochs
#
# The tested network of the package, `cnn.build_small_cnn`, has three blocks with stride 2 and 16, 32 and 64 filters.
# (`jit_compile=False` because the compiler that Keras could use makes convolutions on a CPU slower.)

# %% tags=["explore", "nbval-ignore-output"]
quick = cnn.build_small_cnn(dropout=0.3)
quick.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
    jit_compile=False,
)
quick.fit(x_train, y_train, validation_data=(x_val, y_val), batch_size=64, epochs=3, verbose=0)
_, accuracy = quick.evaluate(x_val, y_val, verbose=0)
print(f"parameters: {quick.count_params():,}; the network of the last lesson had 101,770")
print(f"validation accuracy after three epochs >= 0.9: {accuracy >= 0.9}")

# %% [markdown]
# After three epochs it is nearly where the network of the last lesson was after twenty.
#
# ### The thesis of part 1, proven
#
# We said: the network of the last lesson does not know which pixels are neighbours, and this one does. Then shuffling all
# pixels in one and the same way must do nothing to the first, and cost the second what it has in advance.
#
# > **Predict, then run.** Four trainings of four epochs, without dropout: two networks, on digits and on shuffled digits.
# > By how much is the convolution ahead, on each?


# %% tags=["explore", "nbval-ignore-output"]
def validation_accuracy(build, train, validation):
    """Train a network for four epochs, and measure it on the validation digits."""
    keras.utils.set_random_seed(1)
    network = build()
    network.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    network.fit(train, y_train, batch_size=64, epochs=4, verbose=0)
    return network.evaluate(validation, y_val, verbose=0)[1]


def shuffle_pixels(images):
    """Rearrange the pixels of all images by the one order of part 1."""
    return images.reshape(len(images), 784)[:, order].reshape(images.shape)


def build_dense():
    """Build 784 -> 128 -> 10, the network of the last lesson."""
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), *steps.build_mlp(128).layers])


rows = {}
for name, build in {"dense": build_dense, "convolution": lambda: cnn.build_small_cnn(dropout=0.0)}.items():
    plain = validation_accuracy(build, x_train, x_val)
    mixed = validation_accuracy(build, shuffle_pixels(x_train), shuffle_pixels(x_val))
    rows[name] = (plain, mixed)
    print(f"{name:12s} digits {plain:.3f}   shuffled digits {mixed:.3f}")
ahead = [rows["convolution"][place] - rows["dense"][place] for place in (0, 1)]
print(
    f"the convolution is ahead by {100 * ahead[0]:.1f} points on digits and by {100 * ahead[1]:.1f} on shuffled digits"
)

# %% [markdown]
# The dense network does not care. The convolution still learns something from shuffled digits, since its last layer is
# dense, but its advance is gone: it needs neighbours that are neighbours. Its strength is an assumption about images, and
# where the assumption is false, it is worth nothing.
#
# ### For those who want more: softmax together with `from_logits`, once too often
#
# Popular code often ends with `Dense(10, activation="softmax")` *and* takes a loss with `from_logits=True`, which
# applies the softmax again. Keras on TensorFlow notices this in `fit`, if the softmax is the very last step: it warns and
# leaves the second one out. With another backend, or in a training loop of your own, nobody notices. The network then
# trains, but badly. See what becomes of a **perfect** answer:

# %% tags=["explore"]
loss = keras.losses.CategoricalCrossentropy(from_logits=True)
right = np.eye(10, dtype=np.float32)
print(f"perfect logits (100 for the right class):      loss {float(loss(right, 100 * right)):.2f}")
print(f"perfect probabilities, taken for logits:       loss {float(loss(right, right)):.2f}")

# %% [markdown]
# > **Think first.** Where does 1.46 come from?
#
# <details>
# <summary>Answer</summary>
#
# Probabilities lie between 0 and 1. The best that the second softmax can be given is one 1 and nine 0s, and it makes
# $e^1 / (e^1 + 9 e^0) = 2.718 / 11.718 = 0.23$ of it. The loss is $-\log 0.23 = 1.46$ and can never get below. If the
# loss of ten classes stops near 1.46, look for a second softmax.
#
# </details>
#
# **Common mistakes**
#
# - A softmax at the end of a network whose loss expects logits, or the other way round.
# - `training=True` inside the model, or `model(x)` without saying `training=False`, where there is augmentation.
# - Augmentation applied to the validation or test images, or mirror images of things that have a left and a right.
# - All parameters in one dense layer: `Flatten` right after the first convolution gives 12,544 values.

# %% [markdown]
# ## 6. Which mistakes? The confusion matrix
#
# Accuracy is one number. It does not say *what* goes wrong. The **confusion matrix** does: a table with a row for each
# true class and a column for each answer. Entry $[i, j]$ counts the samples of class $i$ that were taken for class $j$.
# The diagonal holds the right answers. An example with three classes and six samples:
#
# | label | 0 | 0 | 1 | 1 | 2 | 2 |
# | --- | --- | --- | --- | --- | --- | --- |
# | prediction | 0 | 1 | 1 | 1 | 0 | 2 |
#
# $$
# \begin{pmatrix} 1 & 1 & 0 \\ 0 & 2 & 0 \\ 1 & 0 & 1 \end{pmatrix}
# \qquad \text{row 0: one 0 was recognised, one was taken for a 1.}
# $$
#
# Some books have the two axes the other way round, so always look which is which. Ours: **rows are true classes**.
#
# ### Exercise 7: the confusion matrix


# %% exercise="confusion_matrix" forbid=["llmcourse.steps.cnn.confusion_matrix", "sklearn.metrics.confusion_matrix", "tensorflow.math.confusion_matrix"]
def confusion_matrix(labels, predictions, num_classes):
    """Count for each pair of classes how often the first was taken for the second.

    Args:
        labels: integer array (N,), the true classes, from 0 to C-1; it stays as it is.
        predictions: integer array (N,), the predicted classes, from 0 to C-1; it stays as it is.
        num_classes: C, also where not all classes occur.

    Returns:
        Integer array (C, C): row i, column j counts the samples of class i that were taken for class j.
    """
    ### BEGIN SOLUTION
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix
    ### END SOLUTION


# %% check="confusion_matrix"
check("confusion_matrix")

# %% [markdown]
# ### A look at what it did

# %% tags=["explore", "nbval-ignore-output"]
val_labels = digits.y_train[3200:]
val_predictions = quick.predict(x_val, verbose=0).argmax(axis=1)
confusion = steps.confusion_matrix(val_labels, val_predictions, 10)
plots.confusion_matrix(confusion, title="800 validation digits after three epochs")

# %% [markdown]
# **Common mistakes**
#
# - `matrix[labels, predictions] += 1` with whole arrays. NumPy adds 1 to each *place* once, however often it occurs.
#   `np.add.at(matrix, (labels, predictions), 1)` counts every time.
# - A table whose size comes from the data. If no 9 was answered, a column is missing, and all later ones stand wrong.

# %% [markdown]
# ## 7. Precision, recall, F1
#
# Suppose that 10 of 1,000 letters are urgent. A network that calls *no* letter urgent has an accuracy of 99 %, and is
# worthless. For **one class** $k$ there are two better questions:
#
# - **Precision**: of those that I *called* $k$, which share is $k$? It looks at **column** $k$ of the confusion matrix.
# - **Recall**: of those that *are* $k$, which share did I find? It looks at **row** $k$.
#
# With the confusion matrix $M$, shape $(C, C)$:
#
# $$
# P_k = \frac{M[k, k]}{\sum_i M[i, k]} \qquad\qquad R_k = \frac{M[k, k]}{\sum_j M[k, j]}
# $$
#
# One of them alone is easily made perfect: call everything urgent, and the recall is 1; call only the one letter urgent
# of which you are sure, and the precision is 1. **F1** wants both. It is the *harmonic mean* of the two,
#
# $$F_k = \frac{2\, P_k R_k}{P_k + R_k},$$
#
# which stays close to the smaller one: for $P = 1$ and $R = 0.1$ the arithmetic mean is 0.55, and F1 is 0.18.
#
# In the example of part 6, for class 0: column 0 is $(1, 0, 1)$, so $P = 1/2$. Row 0 is $(1, 1, 0)$, so $R = 1/2$, and
# $F = 1/2$. For class 1: column $(1, 2, 0)$, so $P = 2/3$; row $(0, 2, 0)$, so $R = 1$; and $F = 4/5$.
#
# If a class was never predicted, its precision would be 0/0, and so would be the recall of a class without samples, or
# F1 where both are 0. We agree on **0** in all these cases, as scikit-learn does.
#
# ### Exercise 8: precision, recall and F1 of each class
#
# A tool that helps: `np.divide(a, b, out=np.zeros(len(a)), where=b > 0)` divides only where `b > 0` and leaves the 0
# elsewhere, without a warning.


# %% exercise="precision_recall_f1" forbid=["llmcourse.steps.cnn.precision_recall_f1", "sklearn.metrics.precision_recall_fscore_support", "sklearn.metrics.precision_score", "sklearn.metrics.recall_score", "sklearn.metrics.f1_score", "sklearn.metrics.classification_report"]
def precision_recall_f1(confusion):
    """Compute precision, recall and F1 of each class.

    Args:
        confusion: integer array (C, C), rows are true classes, columns are predictions; it stays as it is.

    Returns:
        Float array (C, 3): the columns are precision, recall and F1; 0 where one of them would be 0/0.
    """
    ### BEGIN SOLUTION
    right, called, true = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    zeros = np.zeros(len(confusion))
    precision = np.divide(right, called, out=zeros.copy(), where=called > 0)
    recall = np.divide(right, true, out=zeros.copy(), where=true > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=zeros.copy(), where=total > 0)
    return np.stack([precision, recall, f1], axis=1)
    ### END SOLUTION


# %% check="precision_recall_f1"
check("precision_recall_f1")

# %% [markdown]
# ### A look at what it did: three letters with urgent content
#
# 1,000 letters, 10 of them urgent. Three assistants sort them:

# %% tags=["explore"]
assistants = {
    "calls none urgent": [[990, 0], [10, 0]],
    "finds all, with 40 false alarms": [[950, 40], [0, 10]],
    "careful: finds 6, one false alarm": [[989, 1], [4, 6]],
}
print(f"{'':36s}accuracy  precision  recall    F1   (accuracy + recall) / 2")
for name, matrix in assistants.items():
    matrix = np.array(matrix)
    precision, recall, f1 = steps.precision_recall_f1(matrix)[1]  # of the class "urgent"
    accuracy = np.trace(matrix) / matrix.sum()
    numbers = f"{accuracy:8.3f} {precision:10.2f} {recall:7.2f} {f1:5.2f} {(accuracy + recall) / 2:10.2f}"
    print(f"{name:36s}{numbers}")

# %% [markdown]
# The accuracy prefers the first assistant, who never finds anything, to the second, who finds everything. F1 sees through
# both.
#
# ### For those who want more: three statements that are often made, and why they are wrong
#
# - *"F1 is the mean of accuracy and recall."* It is the **harmonic** mean of **precision** and recall. Look at the second
#   assistant: the "mean" praises 40 false alarms with 0.98; F1 says 0.33.
# - *"Recall judges how well the negatives are recognised."* Recall asks only about those that **are** of the class, here
#   the ten urgent letters. The share of the negatives that are recognised is another quantity, called *specificity*.
# - *"Accuracy plus recall, in one number."* The accuracy of a rare class is close to 1 for everybody who seldom
#   raises the alarm, with or without knowledge. Whoever adds it hides the false alarms.

# %% [markdown]
# ### A look at what it did: each digit

# %% tags=["explore", "nbval-ignore-output"]
print("digit  precision  recall    F1")
for digit, row in enumerate(steps.precision_recall_f1(confusion)):
    print(f"{digit:5d}{row[0]:11.2f}{row[1]:8.2f}{row[2]:6.2f}")

# %% [markdown]
# ## 8. Train, choose, save, and test once
#
# ### Why three sets
#
# Training makes many choices: the parameters, from the training set; but also the number of epochs, the dropout, the
# architecture. Each of these is chosen by looking at data that was held out. And **what has been used for choosing can no
# longer judge**: among many candidates, the one that looks best was partly just lucky. How much luck is in a choice? Take
# 200 "networks" that throw a coin for each of 100 questions. All are worth exactly 50 %.

# %% tags=["explore"]
rng = np.random.default_rng(0)
answers, truth = rng.integers(2, size=(200, 200)), rng.integers(2, size=200)  # 200 coins, 200 questions
right = answers == truth
best = right[:, :100].mean(axis=1).argmax()  # chosen by the first 100 questions
print(f"the best of 200 coins, on the 100 questions that chose it: {right[best, :100].mean():.0%}")
print(f"the same coin on 100 new questions:                        {right[best, 100:].mean():.0%}")

# %% [markdown]
# Careless code passes the test set to `fit` as `validation_data`, keeps the epoch with the best result on it, and reports
# this result as "test accuracy". It is the coin's first number. Therefore:
#
# - the **training** set is for the parameters;
# - the **validation** set is for all other choices, as often as you like;
# - the **test** set is looked at **once**, when nothing will be changed any more.
#
# ### Keeping the best epoch
#
# The validation loss falls, and some time later it rises again: the network begins to learn by heart. We want the weights
# of the epoch where it was **lowest**. In Keras, a *callback* watches the training:
#
# - `keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)` ends the training when the
#   validation loss has not improved for three epochs, and at the end puts the best weights back into the model. (Without
#   `restore_best_weights=True` the model keeps the *last* ones.)
# - `model.fit(..., validation_data=(x_val, y_val), callbacks=[...], verbose=0)` returns a `History` object; its attribute
#   `history` is a dict of lists with one number for each epoch: `loss`, `val_loss`, and, with `metrics=["accuracy"]` in
#   `compile`, also `accuracy` and `val_accuracy`.
# - `model.save(path)` writes the whole model into a file whose name ends with `.keras`: its structure, its weights, and
#   the state of the optimizer. `keras.saving.load_model(path)` gives it back.
#
# ### Exercise 9: train, keep the best epoch, save
#
# The check trains small networks on small problems, and then a network on digits, moved and dimmed a little, whose ten
# classes have been renamed. It wants 95 % of 1,000 digits that the network has never seen. Adam with learning rate 0.002,
# batches of 64 and at most 12 epochs are a good start; with these, training takes about 10 seconds.


# %% exercise="train_and_save" forbid=["llmcourse.steps.cnn.train_and_save", "llmcourse.training.engine.train", "llmcourse.training.loop.fit"]
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    """Train a model, go back to its best epoch, and save it.

    The best epoch is the one with the lowest validation loss. Afterwards both the model and the file have its weights.

    Args:
        model: a keras.Model that is not compiled yet; it maps images to logits (N, C), without a softmax.
        x_train: float32 array (N, height, width, channels), the images to learn from.
        y_train: float32 array (N, C), their one-hot labels.
        x_val: images for choosing the epoch, never to learn from.
        y_val: their one-hot labels.
        path: text, where to save the model; it ends with .keras.

    Returns:
        Dict of lists with one number for each epoch: "loss", "accuracy", "val_loss" and "val_accuracy". The loss is the
        cross-entropy of the softmax of the logits.
    """
    ### BEGIN SOLUTION
    model.compile(
        optimizer=keras.optimizers.Adam(0.002),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    best = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    history = model.fit(
        x_train,
        y_train,
        validation_data=(x_val, y_val),
        batch_size=64,
        epochs=12,
        callbacks=[best],
        verbose=0,
    )
    model.save(path)
    return history.history
    ### END SOLUTION


# %% check="train_and_save"
check("train_and_save")

# %% [markdown]
# ### Before the real training: the three questions
#
# You know them from the last lesson: is the first loss near $\log 10 \approx 2.3$; can the network learn one batch by heart;
# do the two curves tell a plausible story? The first two take seconds, the third is the plot below.

# %% tags=["explore", "nbval-ignore-output"]
keras.utils.set_random_seed(0)
probe = cnn.build_small_cnn(dropout=0.0)
cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
first = float(cross_entropy(y_train[:64], probe(x_train[:64], training=False)))
print(f"1. the first loss is {first:.1f}")
probe.compile(optimizer=keras.optimizers.Adam(0.002), loss=cross_entropy, jit_compile=False)
probe.fit(x_train[:64], y_train[:64], batch_size=64, epochs=60, verbose=0)
learned = probe.predict(x_train[:64], verbose=0).argmax(axis=1) == digits.y_train[:64]
print("2. one batch learned by heart:", learned.mean() >= 0.98)

# %% [markdown]
# ### A look at what it did: the real training
#
# Now everything together: the small network, dropout, augmentation, Adam, the best epoch. `steps.train_and_save` does what
# yours does and takes more arguments, such as `epochs=16` and `patience=6` here (12 and 3 where nothing is said): with
# augmentation the loss falls more slowly, so we give it more time. The file goes into a temporary folder here; take a path
# of your own to keep it.

# %% tags=["explore", "nbval-ignore-output"]
keras.utils.set_random_seed(0)
folder = tempfile.TemporaryDirectory()
path = str(Path(folder.name) / "digits.keras")
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
        *cnn.build_small_cnn(dropout=0.3).layers,
    ]
)
history = steps.train_and_save(model, x_train, y_train, x_val, y_val, path, epochs=16, patience=6)
plots.learning_curves(
    {"training": history["loss"], "validation": history["val_loss"]},
    title="With dropout and augmentation, training is the harder problem",
)

# %% [markdown]
# In the last lesson the training loss went to zero and the test loss turned upward. Here the two stay close together; the
# loss on the training digits can even be the higher one.
#
# > **Think first.** How can the loss be higher on the images that the network learns from?
#
# <details>
# <summary>Answer</summary>
#
# The training loss is measured *during* training: with dropout, on moved images, and as an average over the epoch, while
# the network was still getting better. The validation loss is measured afterwards, with everything at rest.
#
# </details>
#
# ### When the best epoch is not the last
#
# Above, the last epoch was as good as any, and nothing had to be taken back. Take away what kept the network from learning by
# heart, dropout and augmentation, and nine tenths of the digits:
#
# > **Predict, then run.** Where will the two curves part, and which epoch will be kept?

# %% tags=["explore", "nbval-ignore-output"]
keras.utils.set_random_seed(2)
eager = cnn.build_small_cnn(dropout=0.0)
with tempfile.TemporaryDirectory() as elsewhere:
    kept = str(Path(elsewhere) / "few.keras")
    few = steps.train_and_save(eager, x_train[:320], y_train[:320], x_val, y_val, kept, epochs=60, patience=15)
best = int(np.argmin(few["val_loss"])) + 1
print(f"trained for {len(few['val_loss'])} epochs, kept epoch {best}")
print("the best epoch was not the last:", best < len(few["val_loss"]))
plots.learning_curves(
    {"training": few["loss"], "validation": few["val_loss"]}, mark_lowest=True, title="The epoch at the dot is kept"
)

# %% [markdown]
# The training loss goes on to zero. The validation loss soon stops falling: after the dot it never gets lower again. The
# weights at the dot are what `train_and_save` has put into the file and into the model.
#
# ### The drawer is opened
#
# Everything is decided. Load the model from its file, as a stranger would, and read the test set. Once.

# %% tags=["explore", "nbval-ignore-output"]
loaded = keras.saving.load_model(path)
x_test, y_test = steps.prepare(digits.x_test, digits.y_test)
logits = loaded.predict(x_test, verbose=0)  # (1000, 10)
predictions = logits.argmax(axis=1)
print("same logits as before saving:", np.allclose(logits, model.predict(x_test, verbose=0), atol=1e-5))
print(f"test accuracy >= 0.96: {(predictions == digits.y_test).mean() >= 0.96}")
plots.confusion_matrix(steps.confusion_matrix(digits.y_test, predictions, 10))

# %% [markdown]
# With one thousand test digits, a difference of one percentage point is ten digits, hardly more than chance. Do not
# choose between two networks by it.
#
# ### For those who want more: mistakes of which the network is sure

# %% tags=["explore", "nbval-ignore-output"]
shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
probabilities = shifted / shifted.sum(axis=1, keepdims=True)  # softmax: (1000, 10)
plots.confident_errors(digits.x_test, digits.y_test, probabilities, count=10)

# %% [markdown]
# ### For those who want more: what it has learned to see
#
# The first layer has 16 kernels of 5 × 5. We can look at them, as we did with the units of the last lesson.

# %% tags=["explore", "nbval-ignore-output"]
first = next(layer for layer in loaded.layers if isinstance(layer, keras.layers.Conv2D))
learned = np.asarray(first.kernel)  # (5, 5, 1, 16)
plots.weight_images(
    learned.reshape(25, 16),
    shape=(5, 5),
    columns=8,
    title="The 16 learned kernels: red counts for ink, blue against it",
)

# %% [markdown]
# After a short training on 3,200 digits there is still much of the random beginning in them. But in many you can make
# out a red side and a blue side: these answer to an edge in one direction. It is easier to see in what they make of a
# digit (before the normalisation, with the stride of 2, negative values left out):

# %% tags=["explore", "nbval-ignore-output"]
maps = steps.conv2d(x_test[:1], learned[..., :6], 2, "same")  # (1, 14, 14, 6), with your conv2d it is the same
plots.feature_maps(
    x_test[0, ..., 0], np.maximum(maps[0], 0), learned[:, :, 0, :6], title="One digit through the first six kernels"
)

# %% [markdown]
# Some answer to the upper rim of the strokes, some to the lower one or to one side, some to all ink, wherever in the image
# it is. The units of the last lesson needed a template of their own for each place.
#
# ### Using the model
#
# A saved model needs nothing of this notebook. Whoever has the file can write three lines:

# %% tags=["explore", "nbval-ignore-output"]
reader = keras.saving.load_model(path)
image, _ = steps.prepare(digits.x_test[:1], digits.y_test[:1])  # prepared exactly as in training
print("this digit is a", int(reader.predict(image, verbose=0).argmax()), "and should be a", digits.y_test[0])
folder.cleanup()

# %% [markdown]
# **Common mistakes**
#
# - The test set as `validation_data`. The reported number is then too good, and nobody can say by how much.
# - `EarlyStopping` without `restore_best_weights=True`: the weights of the *last* epoch, `patience` epochs too late.
# - Choosing by the *training* loss. It falls for ever.
# - `model.save_weights` and no note of the structure, or of how the images were prepared.
# - Preparing images differently in use than in training: other range, white on black, no channel axis.

# %% [markdown]
# ### Appendix: the same result tomorrow, and curves while you wait
#
# A seed for NumPy alone repeats nothing here: Python, NumPy and Keras each have a generator of random numbers, and that of
# Keras draws the first weights, the dropout and the order of the images. `keras.utils.set_random_seed(0)` seeds all three,
# and so does the `setup(seed=0)` at the top of each notebook.
#
# TensorBoard is a program that shows curves while a long training runs: `pip install tensorboard`, the callback
# `keras.callbacks.TensorBoard(log_dir="logs/first")` in `fit`, and `tensorboard --logdir logs` in a terminal.

# %% [markdown]
# ## What to take with you
#
# - A convolution is a sum of products under a small window that slides over the image: locality and shared weights.
#   $(N, \text{height}, \text{width}, \text{channels})$ and $(kh, kw, \text{channels}, F)$ give
#   $(N, \text{height}', \text{width}', F)$.
# - `"valid"`: $\lfloor (L-w)/s \rfloor + 1$ results. `"same"`: $\lceil L/s \rceil$, and the odd zero comes at the end.
# - Stride and pooling make the image smaller and the receptive field larger: $R \leftarrow R + (w-1)\Delta$,
#   $\Delta \leftarrow \Delta s$.
# - Batch normalisation, dropout and augmentation act in training; in use they rest.
# - Logits into the loss, one softmax only. A loss that stops at 1.46 has two.
# - Rows of the confusion matrix are true classes. Precision looks at columns, recall at rows, F1 is their harmonic mean.
# - Train, validation, test. Choose by the second; look at the third once.
#
# `check.progress()` shows your points. The next lesson reads sequences, where neighbours are not enough: the word that
# matters may stand far away.
#
# ### Further reading
#
# - Y. LeCun et al. (1989): Backpropagation Applied to Handwritten Zip Code Recognition. *Neural Computation* 1(4),
#   541–551. Shared weights, learned by backpropagation, on real digits.
# - Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998): Gradient-based learning applied to document recognition.
#   *Proceedings of the IEEE* 86(11), 2278–2324. The network LeNet-5, and MNIST.
# - J. T. Springenberg, A. Dosovitskiy, T. Brox and M. Riedmiller (2015): Striving for Simplicity: The All Convolutional
#   Net. *ICLR workshop*. Strides instead of pooling.
# - S. Ioffe and C. Szegedy (2015): Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. *ICML*, PMLR 37, 448–456.
# - N. Srivastava et al. (2014): Dropout: A Simple Way to Prevent Neural Networks from Overfitting. *Journal of Machine
#   Learning Research* 15, 1929–1958.
# - D. P. Kingma and J. Ba (2015): Adam: A Method for Stochastic Optimization. *ICLR*.
# - L. Prechelt (1998): Early Stopping – But When? In: *Neural Networks: Tricks of the Trade*, Springer, 55–69.
# - C. J. van Rijsbergen (1979): *Information Retrieval*, 2nd edition, Butterworths, chapter 7. Where F1 comes from.
# - I. Goodfellow, Y. Bengio and A. Courville (2016): *Deep Learning*, MIT Press, chapter 9. Free to read at
#   deeplearningbook.org.
