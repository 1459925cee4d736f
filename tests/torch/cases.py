"""What is compared: a model, the images it sees, how it is trained and how it is attacked."""
from dataclasses import dataclass

import numpy

from networks import Normalize, ResNet18, SmallCnn

# Uneven, so that a mix-up of channels, or of mean and deviation, shows.
MEAN = (0.45, 0.5, 0.55)
STD = (0.25, 0.3, 0.35)
PGD_STEPS = 20


class Data:
    """An .npz file in MedMNIST's layout; images become fp32 (N, C, H, W) in [0, 1], labels (N)."""

    def __init__(self, path):
        self.path = path
        arrays = numpy.load(path)
        self.splits = {}
        for split in ("train", "test"):
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            images = images.reshape(*images.shape[:3], -1).transpose(0, 3, 1, 2)
            self.splits[split] = images.astype(numpy.float32) / 255, labels.ravel().astype(numpy.int64)
        _, self.channels, self.size, _ = self.splits["test"][0].shape
        self.classes = 1 + max(labels.max() for _, labels in self.splits.values())

    def first(self, split, count):
        images, labels = self.splits[split]
        return images[:count], labels[:count]


@dataclass
class Case:
    model: str     # as the engine names it
    images: str    # "chest": 28x28x1, 2 classes; "cells": 64x64x3, 3 classes
    method: str    # "standard", or the attack that training sees
    train: tuple   # images, epochs, learning rate
    levels: float  # grey levels that the attack may change a pixel by; a step is a quarter of them
    attacked: list  # images under PGD-20, a number each direction that is compared; one of 500 is 0.2 points

    @property
    def eps(self):
        return self.levels / 255

    @property
    def alpha(self):
        return self.eps / 4

    def network(self, data):
        """The same model in PyTorch, in float32."""
        normalize = Normalize(MEAN[:data.channels], STD[:data.channels])
        if self.model.startswith("small_cnn"):
            return SmallCnn(normalize, data.channels, data.classes, 16, data.size)
        stem = "imagenet" if "stem=imagenet" in self.model else "cifar"
        return ResNet18(normalize, data.channels, data.classes, 16, stem)

    def model_words(self, data):
        """The arguments by which parity_dump builds the model."""
        mean, std = (";".join(map(str, values[:data.channels])) for values in (MEAN, STD))
        return [f"model={self.model}", f"input=input:mean={mean},std={std}", f"data={data.path}"]

    def attack_word(self):
        """The argument by which parity_dump builds the attack."""
        return (f"attack=pgd:norm=linf,eps={self.levels}/255,alpha={self.levels / 4}/255,steps={PGD_STEPS},"
                "random_start=0")


CASES = {
    "resnet18": Case("resnet18:width=16", "chest", "standard", (2048, 2, 0.05), levels=4, attacked=[0, 0]),
    "resnet18_adversarial": Case("resnet18:width=16", "chest", "pgd:eps=4/255,alpha=3/255,steps=2",
                                 (1024, 3, 0.05), levels=4, attacked=[500]),
    "resnet18_imagenet": Case("resnet18:width=16,stem=imagenet", "cells", "standard", (640, 2, 0.05), levels=4,
                              attacked=[0, 0]),
    "small_cnn": Case("small_cnn:width=16", "chest", "standard", (2048, 4, 0.02), levels=4, attacked=[500, 500]),
}
