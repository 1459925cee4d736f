"""Constraints of attacks through the program: kept to, told of in the JSON, refused in one line: constraints.py PROGRAM."""

import os
import struct

from program import expect, finish, image_set, npy, npz, read_json, read_npz, refuse, run, scratch

COUNT, SIZE = 24, 16


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("data.npz"), image_set(COUNT, SIZE, channels=3))
    unequal = image_set(COUNT, SIZE, channels=3)
    for split in ("train", "val", "test"):
        dtype, shape, data = unequal[split + "_images"]
        changed = bytearray(data)
        changed[7 * SIZE * SIZE * 3 + 4] ^= 1
        unequal[split + "_images"] = (dtype, shape, bytes(changed))
    npz(here("unequal.npz"), unequal)
    model = here("model")
    done = run("train", "--model", "small_cnn:width=4", "--epochs", 2, "--batch", 8, "--quiet", "--data", here("data.npz"), "--out", model)
    expect(done.returncode == 0, f"training: {done.stderr}")
    subject = ["--model", model, "--data", here("data.npz"), "--quiet"]

    def array(name, dtype, shape, data):
        with open(here(name), "wb") as file:
            file.write(npy(dtype, shape, data))
        return here(name)

    left_half = bytes(1 if x < SIZE // 2 else 0 for _ in range(SIZE) for x in range(SIZE))
    region = array("region.npy", "|u1", (SIZE, SIZE), left_half)
    factors = [0.25 * (i % 5) for i in range(COUNT)]
    scale = array("scale.npy", "<f8", (COUNT,), struct.pack(f"<{COUNT}d", *factors))
    npz(here("both.npz"), {"region": ("|b1", (COUNT, SIZE, SIZE), left_half * COUNT),
                           "eps_scale": ("<f4", (COUNT,), struct.pack(f"<{COUNT}f", *factors))})
    flags = {"region": ["--region", region], "eps_scale": ["--eps-scale", scale], "channels": ["--channels", "same"], "bits": ["--bits", 8]}
    of_archive = {"region": ["--region", here("both.npz")], "eps_scale": ["--eps-scale", here("both.npz")]}

    def attacked(*more):
        path = here("adversarial.npz")
        done = run("attack", *subject, "--attack", "pgd:eps=8/255,steps=3", "--out", path, *more)
        expect(done.returncode == 0, f"attack {more}: {done.stderr}")
        return [values for values in struct.iter_unpack(f"<{3 * SIZE * SIZE}f", read_npz(path)["adversarial"][2])]

    clean, free = attacked("--region", array("nothing.npy", "|u1", (SIZE, SIZE), bytes(SIZE * SIZE))), attacked()
    difference = lambda images: [[a - b for a, b in zip(x, y)] for x, y in zip(images, clean)]
    pixels = SIZE * SIZE
    outside = lambda images: [d for image in difference(images) for i, d in enumerate(image) if i % SIZE >= SIZE // 2]
    expect(any(outside(free)), "without a region the right half changes")
    inside = attacked(*flags["region"])
    expect(not any(outside(inside)), "a region keeps the right half")
    expect(any(d for image in difference(inside) for d in image), "a region lets the left half change")
    expect(inside == attacked(*of_archive["region"]), "one mask for all images, and the same for each")
    scaled = attacked(*flags["eps_scale"])
    for factor, image in zip(factors, difference(scaled)):
        largest = max(map(abs, image))
        expect(abs(largest - factor * 8 / 255) < 1e-6, f"an image of factor {factor} moves by {largest}")
    expect(scaled == attacked(*of_archive["eps_scale"]), "factors of an archive")
    same = lambda images: all(x[i] == x[i + pixels] == x[i + 2 * pixels] for x in images for i in range(pixels))
    expect(same(attacked(*flags["channels"])) and not same(free), "the same difference in all channels")
    on_grid = lambda images: all(abs(255 * v - round(255 * v)) < 1e-4 for x in images for v in x)
    expect(on_grid(attacked(*flags["bits"])) and not on_grid(free), "8 bits")
    every = [flag for pair in flags.values() for flag in pair]
    together = attacked(*every)
    expect(on_grid(together) and same(together) and not any(outside(together)), "all constraints together")

    for names in ([], ["region"], ["eps_scale"], ["channels"], ["bits"], list(flags)):
        out = here("e.json")
        done = run("evaluate", *subject, "--bootstrap", 0, "--attack", "pgd:eps=4/255;8/255,steps=3", "--out", out,
                   *(flag for name in names for flag in flags[name]))
        expect(done.returncode == 0, f"evaluate with {names}: {done.stderr}")
        found = read_json(out)
        for name in flags:
            expect(found.get(name) == (flags[name][1] if name in names else None), f"{names}: {name} is {found.get(name)!r}")
        row = found["rows"][2]
        if "eps_scale" in names:
            expect(0 < row["max_norm_over_eps"] < 1 + 1e-4, f"norm over radius: {row['max_norm_over_eps']}")
        else:
            expect("max_norm_over_eps" not in row, "norm over radius without factors")
        checks = {check["check"]: check for check in found["checks"]}
        expect(checks["norms_within_eps"]["passed"], f"{names}: {checks['norms_within_eps']['says']}")
        held_back = bool({"region", "eps_scale", "channels"} & set(names))
        expect(("unbounded_breaks_every_image" in checks) != held_back, f"{names}: checks {sorted(checks)}")

    # Files and words that are none.
    text = here("text.npy")
    with open(text, "w") as file:
        file.write("no array")
    wrong = {
        "region of another shape": (["--region", array("r1.npy", "|u1", (SIZE, SIZE + 1), bytes(SIZE * (SIZE + 1)))], ["r1.npy", "(16, 17)", "(16, 16)", "(24, 16, 16)"]),
        "region of too few images": (["--region", array("r2.npy", "|u1", (3, SIZE, SIZE), left_half * 3)], ["r2.npy", "(3, 16, 16)"]),
        "region of floats": (["--region", array("r3.npy", "<f4", (SIZE, SIZE), left_half * 4)], ["r3.npy", "f32", "u8"]),
        "region that is no array": (["--region", text], ["text.npy"]),
        "archive without a region": (["--region", here("data.npz")], ["data.npz", "region"]),
        "factors of another number": (["--eps-scale", array("s1.npy", "<f4", (3,), bytes(12))], ["s1.npy", "(3,)", "(24,)"]),
        "factors of integers": (["--eps-scale", array("s2.npy", "<i4", (COUNT,), bytes(4 * COUNT))], ["s2.npy", "i32"]),
        "a negative factor": (["--eps-scale", array("s3.npy", "<f4", (COUNT,), struct.pack(f"<{COUNT}f", *[1.0] * 23, -1.0))], ["s3.npy", "image 23", "-1"]),
        "a factor that is no number": (["--eps-scale", array("s4.npy", "<f4", (COUNT,), struct.pack(f"<{COUNT}f", *[1.0] * 22, float("nan"), 1.0))], ["s4.npy", "image 22"]),
    }
    out = here("out.npz")
    commands = (["evaluate", "--attack", "fgsm"], ["attack", "--attack", "fgsm", "--out", out])
    for command in commands:
        for what, (more, mention) in wrong.items():
            refuse(f"{command[0]}: {what}", 65, *command, *subject, *more, output=out, mention=mention)
        for flag in ("--region", "--eps-scale"):
            refuse(f"{command[0]}: missing {flag}", 66, *command, *subject, flag, here("none.npy"), output=out, mention=["none.npy"])
        refuse(f"{command[0]}: bits", 64, *command, *subject, "--bits", 7, output=out, mention=["--bits is 7", "8 or 16"])
        refuse(f"{command[0]}: channels", 64, *command, *subject, "--channels", "each", output=out, mention=["--channels", "own or same"])
        refuse(f"{command[0]}: unequal channels", 65, *command, "--model", model, "--data", here("unequal.npz"), "--quiet", "--channels", "same",
               output=out, mention=["image 7", "channels"])


with scratch() as folder:
    main(folder)
finish()
