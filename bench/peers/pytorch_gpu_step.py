#!/usr/bin/python3
"""Times PGD training steps of PyTorch and of the engine on one GPU, turn by turn, and prints a Markdown table.

pytorch_gpu_step.py path/to/inocula [--rounds N] [--repeat N]

PyTorch takes turns as people run it: fp32 and AMP (bf16), contiguous and channels_last, eager and torch.compile in the
mode that captures CUDA graphs (reduce-overhead). Milliseconds a step, the median over the rounds; the ratio says how
many times faster the engine is than the named turn. The last column is the engine's rate against that of a bf16 matrix
product of 8192 x 8192 measured in the same run.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytorch_step import PGD_STEPS, pytorch_step

# (what bounds it, width, image, batch)
WORK = [("launches", 64, (1, 28, 28), 128), ("arithmetic", 64, (3, 32, 32), 512)]
# (name, layout, bf16, compiled)
TURNS = [("fp32 eager", "contiguous", False, False), ("fp32 eager channels_last", "channels_last", False, False),
         ("AMP eager channels_last", "channels_last", True, False), ("AMP compiled", "channels_last", True, True)]


def time_pytorch(step, repeat):
    """Median milliseconds of a step that is waited for."""
    import torch
    for _ in range(3):
        step()
    times = []
    for _ in range(repeat):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def time_engine(program, width, image, batch, precision, repeat):
    """(median milliseconds, GFLOP/s) of the same step by the engine."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "bench.json"
        subprocess.run([program, "bench", "--device", "cuda:0", "--model", f"resnet18:width={width}", "--input",
                        ",".join(map(str, image)), "--classes", "2", "--batch", str(batch), "--method", "pgd", "--steps",
                        str(PGD_STEPS), "--precision", precision, "--repeat", str(repeat), "--quiet", "--json", result],
                       check=True)
        row = json.loads(result.read_text())["rows"][0]
        return row["ms_median"], row["gflops"]


def matrix_tflops(torch):
    """TFLOP/s of a bf16 product of random 8192 x 8192 matrices."""
    side = 8192
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2e-9 * side**3 / time_pytorch(lambda: a @ b, 10)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="timed steps in one turn")
    options = parser.parse_args(arguments)
    try:
        import torch
    except ImportError:
        print("skipped: PyTorch cannot be imported by this Python")
        return 0
    if not torch.cuda.is_available():
        print("skipped: PyTorch sees no GPU")
        return 0

    roof = matrix_tflops(torch)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, a bf16 matrix product at {roof:.0f} TFLOP/s; "
          f"ResNet-18, PGD-{PGD_STEPS}, median of {options.rounds} rounds of {options.repeat} steps\n")
    print("| step | turn | PyTorch, ms | Inocula, ms | ratio | of the matrix rate |\n|---|---|---|---|---|---|")
    for bound, width, image, batch in WORK:
        steps = {name: pytorch_step(width, batch, "pgd", layout, image, "cuda", bf16, compiled)
                 for name, layout, bf16, compiled in TURNS}
        pytorch, engine = {name: [] for name in steps}, {"fp32": [], "bf16": []}
        for _ in range(options.rounds):
            for name, step in steps.items():
                try:
                    pytorch[name].append(time_pytorch(step, options.repeat))
                except Exception as error:  # one way of running PyTorch that fails shall not hide the others
                    print(f"<!-- {name}: {type(error).__name__} -->")
                    pytorch[name].append(float("nan"))
            for precision, results in engine.items():
                results.append(time_engine(options.program, width, image, batch, precision, options.repeat))
        for name, _, bf16, _ in TURNS:
            ours = engine["bf16" if bf16 else "fp32"]
            theirs, milliseconds = statistics.median(pytorch[name]), statistics.median(ms for ms, _ in ours)
            share = statistics.median(gflops for _, gflops in ours) / (1e3 * roof)
            print(f"| {'x'.join(map(str, image))}, batch {batch} ({bound}) | {name} | {theirs:.2f} | {milliseconds:.2f} "
                  f"| {theirs / milliseconds:.2f} | {100 * share:.0f} % |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
