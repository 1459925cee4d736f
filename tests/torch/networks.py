"""The engine's models written in PyTorch, with torchvision's names."""
import torch
from torch import nn
from torch.nn import functional


class Normalize(nn.Module):
    """(x - mean[c]) / std[c]; belongs to the model and not to its state_dict."""

    def __init__(self, mean, std):
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, x):
        return (x - self.mean) / self.std


class BasicBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or before != channels:
            self.downsample = nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """He et al., CVPR 2016; `stem` is "cifar" (3x3, stride 1) or "imagenet" (7x7, stride 2, max-pooling)."""

    def __init__(self, normalize, channels, classes, width, stem):
        super().__init__()
        self.normalize = normalize
        small = stem == "cifar"
        self.conv1 = nn.Conv2d(channels, width, *((3, 1, 1) if small else (7, 2, 3)), bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        for stage in range(4):
            before, after = width << max(stage - 1, 0), width << stage
            first = BasicBlock(before, after, 1 if stage == 0 else 2)
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, BasicBlock(after, after, 1)))
        self.fc = nn.Linear(width << 3, classes)

    def forward(self, x):
        x = self.maxpool(functional.relu(self.bn1(self.conv1(self.normalize(x)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class SmallCnn(nn.Module):
    """Three 3x3 convolutions with bias, max-pooling after the first two, one linear layer."""

    def __init__(self, normalize, channels, classes, width, size):
        super().__init__()
        self.normalize = normalize
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.ReLU())
        self.classifier = nn.Linear(4 * width * (size // 4) ** 2, classes)

    def forward(self, x):
        return self.classifier(self.features(self.normalize(x)).flatten(1))
