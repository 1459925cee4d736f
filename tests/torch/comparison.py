"""Compares what the engine made of weights and images with what PyTorch makes of them."""
from dataclasses import dataclass

import numpy
import torch
from torch.nn import functional

from cases import PGD_STEPS
from convolution import with_xnnpack

CHUNK = 50  # images that PyTorch attacks at once


@dataclass
class Setting:
    """Of the images and the two training steps; the decay is large enough to be seen after a single one."""
    images: int = 32   # of the test split, whose gradients are compared
    batch: int = 32    # of the train split
    rate: float = 0.005
    momentum: float = 0.9
    decay: float = 0.1

    def words(self):
        return [f"{key}={value}" for key, value in vars(self).items()]


@dataclass
class Row:
    """One measured number and the largest that passes."""
    name: str
    measured: float
    bound: float

    @property
    def holds(self):
        return bool(self.measured <= self.bound)  # a NaN does not

    def __str__(self):
        return f"  {self.name:<76}{self.measured:>10.2g}  <= {self.bound:<8g}{'ok' if self.holds else 'FAILED'}"


def frozen(network):
    """The network in evaluation mode, without gradients of its parameters."""
    return network.eval().requires_grad_(False)


def summed_cross_entropy(logits, y):
    """functional.cross_entropy, but with a right gradient for certain images too.

    PyTorch's own takes the true class's probability minus 1, which cancels to 0 or to noise where the margin is above
    16 in float32 and above 36 in float64; the other classes' share of the gradient then points elsewhere.
    """
    y = y[:, None]
    others = (logits - logits.gather(1, y)).scatter(1, y, -torch.inf)
    return functional.softplus(others.logsumexp(1)).sum()


def logits_and_gradient(network, x, y):
    """Logits, and the gradient of the summed cross-entropy with respect to the images."""
    x = x.clone().requires_grad_(True)
    logits = network(x)
    (gradient,) = torch.autograd.grad(summed_cross_entropy(logits, y), x)
    return logits.detach(), gradient


def pgd_step(case, x, gradient, clean):
    x = x + case.alpha * gradient.sign()
    return (clean + (x - clean).clamp(-case.eps, case.eps)).clamp(0, 1)


def pgd(case, network, clean, y):
    x = clean
    for _ in range(PGD_STEPS):
        x = pgd_step(case, x, logits_and_gradient(network, x, y)[1], clean)
    return x


def norm_ratio(ours, theirs):
    """Euclidean distance in units of the reference's length, of each row."""
    difference = (ours - theirs).flatten(1).norm(dim=1)
    return difference / theirs.flatten(1).norm(dim=1)


def largest_ratio(ours, theirs):
    """Largest difference in units of the tensor's largest number."""
    return (ours - theirs).abs().max() / theirs.abs().max()


def double(array):
    return torch.from_numpy(array.astype(numpy.float64))


def compare_images(network, case, setting, data, images):
    x, y = data.first("test", setting.images)
    x, y = double(x), torch.from_numpy(y)
    logits, gradient = logits_and_gradient(network, x, y)
    ours = double(images["logits"])
    apart = ((ours - logits).abs().amax(1) / logits.abs().amax(1)).max().item()
    yield Row("logits, worst image, in units of its largest logit", apart, 1e-4)

    ratios = norm_ratio(double(images["gradient"]), gradient)
    yield Row("input gradients, Euclidean relative error, median over images", ratios.median().item(), 1e-3)

    moved = (double(images["one_step"]) - pgd_step(case, x, gradient, x)).abs()
    astray = moved > case.alpha / 2
    yield Row("one PGD step, share of pixels that went another way", astray.double().mean().item(), 1e-3)
    yield Row("one PGD step, largest difference of the other pixels", moved.masked_fill(astray, 0).max().item(), 1e-6)


def compare_attack(network, case, data, logits):
    """Robust accuracy: right before and after the attack. `network` is in float32."""
    x, y = map(torch.from_numpy, data.first("test", len(logits["clean"])))
    right = []
    for part, label in zip(x.split(CHUNK), y.split(CHUNK)):
        after = pgd(case, network, part, label)
        with torch.no_grad():
            right.append((network(part).argmax(1) == label) & (network(after).argmax(1) == label))
    theirs = torch.cat(right)
    clean, ours = (torch.from_numpy(logits[key].argmax(1)) == y for key in ("clean", "attacked"))
    ours = ours & clean
    points = [100 * hits.double().mean().item() for hits in (clean, ours, theirs)]
    print("  accuracy {:.1f} %; under PGD-{}, eps {:g}/255: {:.1f} % here, {:.1f} % in PyTorch; {} of {} images judged "
          "differently".format(points[0], PGD_STEPS, 255 * case.eps, *points[1:], int((ours != theirs).sum()), len(y)))
    # An attack that fools nobody, or a network that always says the same, would compare nothing.
    yield Row("PGD-20, share of the right images that stay right", points[2] / points[0], 0.95)
    # A little more than 0.2: the difference of two percentages is rounded.
    yield Row("PGD-20, difference of robust accuracies in points", abs(points[1] - points[2]), 0.2 + 1e-9)


def compare_gradients(network, loss, ours):
    apart = abs(ours["loss"].item() - loss.item()) / loss.item()
    yield Row("ERM step, mean loss, relative", apart, 1e-5)
    ratios = torch.cat([norm_ratio(double(ours[name])[None], p.grad[None]) for name, p in network.named_parameters()])
    # One activation at the kink of its ReLU turns the gradients of a small tensor by almost a hundredth; PyTorch's own
    # float32 and float64 differ as much.
    what = "ERM step, parameter gradients, Euclidean relative error"
    yield Row(f"{what}, median over tensors", ratios.median().item(), 1e-3)
    yield Row(f"{what}, worst tensor", ratios.max().item(), 3e-2)


def compare_states(network, ours, step, bound):
    state = network.state_dict()
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    kinds = {"parameters": [name for name, _ in network.named_parameters()],
             "running statistics": [name for name in state if ".running_" in name]}
    for kind, names in kinds.items():
        if names:
            apart = torch.stack([largest_ratio(double(ours[name]), state[name]) for name in names]).max().item()
            yield Row(f"ERM step {step}, {kind}, in units of the tensor's largest, worst tensor", apart, bound)
    if counters:
        wrong = sum(int(ours[name]) != int(state[name]) for name in counters)
        yield Row(f"ERM step {step}, counters of batches that differ", wrong, 0)


def compare_training(network, setting, data, outputs):
    """Two steps on one batch; only the second shows the momentum."""
    x, y = data.first("train", setting.batch)
    x, y = double(x), torch.from_numpy(y)
    network.train().requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), setting.rate, setting.momentum, weight_decay=setting.decay)
    # Where the first step meets the kink of a ReLU with another rounding, the second sees another network.
    for step, bound in ((1, 1e-4), (2, 1e-3)):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        if step == 1:
            yield from compare_gradients(network, loss, outputs["gradients"])
        yield from compare_states(network, outputs[f"after_{step}"], step, bound)


def compare(case, setting, data, state, outputs):
    """Rows of what differs. `state` {name: array} is what the engine read, `outputs` what it wrote, by file."""
    again = outputs["again"]
    differ = sum(again.get(name) is None or again[name].tobytes() != state[name].tobytes() for name in state)
    yield Row("weights written again, tensors that differ or are missing", differ + len(again.keys() - state.keys()), 0)

    network = case.network(data)
    network.load_state_dict({name: torch.from_numpy(numpy.array(array)) for name, array in state.items()})
    if "attack" in outputs:
        yield from compare_attack(with_xnnpack(frozen(network)), case, data, outputs["attack"])
    network = network.double()
    yield from compare_images(frozen(network), case, setting, data, outputs["images"])
    yield from compare_training(network, setting, data, outputs)
