"""Settings of methods that compare or augment: each changes the network, and config.toml gives it again: method_settings.py PROGRAM."""

import os

from program import expect, finish, image_set, npz, read_bytes, run, scratch


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("rgb.npz"), image_set(count=30, channels=3, classes=3))

    def trained(out, *flags):
        done = run("train", "--quiet", "--overwrite", "--out", here(out), *flags)
        expect(done.returncode == 0, f"train {flags}: {done.stderr}")
        return read_bytes(here(out), "model.safetensors")

    short = ["--data", here("rgb.npz"), "--model", "resnet18:width=4", "--epochs", 1, "--batch", 10]
    for method, others in (("augmix", [["--augmix", "augmix:ops=flips"], ["--augmix", "augmix:severity=9,ops=all"], ["--jsd-weight", 1],
                                       ["--views", "one_by_one"]]),
                           ("robustaugmix", [["--norm", "l2"], ["--eps", "16/255"], ["--steps", 1], ["--views", "together"],
                                             ["--no-random-start"], ["--augmix", "augmix:chains=1,depth=1"]]),
                           ("rtda", [["--alpha", "1/255"], ["--augmix", "augmix:alpha=0.5"], ["--attack-bn", "train_no_update"]]),
                           ("trades", [["--norm", "l2"], ["--eps", "8/255"], ["--alpha", "1/255"], ["--steps", 1], ["--beta", 1],
                                       ["--views", "together"]])):
        plain = trained("plain", *short, "--method", method)
        with open(os.path.join(here("plain"), "config.toml")) as file:
            text = file.read()
        expect(("augmix:severity=3," in text) == (method != "trades"), f"{method}: {text}")
        expect(("jsd_weight = 12" in text) == (method in ("augmix", "robustaugmix")), f"{method}: {text}")
        if method == "trades":
            written = [line for line in text.splitlines() if line.split(" = ")[0] in ("beta", "views", "norm", "eps", "alpha", "steps",
                                                                                        "random_start", "attack_bn")]
            expect(written == ["beta = 6", 'views = "one_by_one"', 'norm = "linf"', 'eps = "0.031"', 'alpha = "0.007"', "steps = 10"],
                   f"trades: {text}")
        expect(trained("again", "--config", os.path.join(here("plain"), "config.toml")) == plain, f"{method}: config.toml gives another network")
        for flags in others:
            expect(trained("other", *short, "--method", method, *flags) != plain, f"{method}: {flags} changes nothing")


with scratch() as temporary:
    main(temporary)
finish()
