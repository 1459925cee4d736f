#!/usr/bin/python3
"""Times PGD training steps of PyTorch and of the engine on one GPU, turn by turn, and prints a Markdown table.

pytorch_gpu_step.py path/to/inocula [--rounds N] [--repeat N] [--json FILE]

PyTorch takes turns as people run it: fp32, fp32 in TF32 (which its convolutions use unless told not to) and AMP (bf16),
contiguous and channels_last, eager and torch.compile in the mode that captures CUDA graphs (reduce-overhead); the engine
computes in the same numbers. Milliseconds a step, the median over the rounds; the ratio says how many times faster the
engine is than the named turn. The last column is the engine's rate against that of a bf16 matrix product of 8192 x 8192
measured in the same run.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from pytorch_step import PGD_STEPS, pytorch_step

# (what bounds it, width, image, batch)
WORK = [("launches", 64, (1, 28, 28), 128), ("arithmetic", 64, (3, 32, 32), 512)]


class Turn(NamedTuple):
    name: str
    layout: str
    numbers: str  # a key of NUMBERS
    compiled: bool = False


# What PyTorch and the engine compute in, and the engine's flags for it.
NUMBERS = {"fp32": ["--precision", "fp32"], "tf32": ["--precision", "fp32", "--tf32"], "bf16": ["--precision", "bf16"]}
TURNS = [Turn("fp32 eager", "contiguous", "fp32"), Turn("fp32 eager channels_last", "channels_last", "fp32"),
         Turn("TF32 eager", "contiguous", "tf32"), Turn("TF32 eager channels_last", "channels_last", "tf32"),
         Turn("AMP eager channels_last", "channels_last", "bf16"), Turn("AMP compiled", "channels_last", "bf16", compiled=True)]


def allow_tf32(torch, allowed):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


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


def time_engine(program, width, image, batch, numbers, repeat):
    """(median milliseconds, GFLOP/s) of the same step by the engine."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "bench.json"
        subprocess.run([program, "bench", "--device", "cuda:0", "--model", f"resnet18:width={width}", "--input",
                        ",".join(map(str, image)), "--classes", "2", "--batch", str(batch), "--method", "pgd", "--steps",
                        str(PGD_STEPS), *NUMBERS[numbers], "--repeat", str(repeat), "--quiet", "--json", result],
                       check=True)
        row = json.loads(result.read_text())["rows"][0]
        return row["ms_median"], row["gflops"]


def matrix_tflops(torch):
    """TFLOP/s of a bf16 product of random 8192 x 8192 matrices."""
    side = 8192
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2e-9 * side**3 / time_pytorch(lambda: a @ b, 10)


def compare(step, turn, pytorch, engine, roof):
    """A row of results: PyTorch's milliseconds of each round, the engine's (milliseconds, GFLOP/s), TFLOP/s of the roof."""
    theirs, ours = statistics.median(pytorch), statistics.median(ms for ms, _ in engine)
    return {"step": step, "turn": turn.name, "pytorch_ms": theirs, "inocula_ms": ours, "ratio": theirs / ours,
            "share_of_matrix_rate": statistics.median(gflops for _, gflops in engine) / (1e3 * roof)}


def table_line(bound, row):
    return (f"| {row['step']} ({bound}) | {row['turn']} | {row['pytorch_ms']:.2f} | {row['inocula_ms']:.2f} | {row['ratio']:.2f} "
            f"| {100 * row['share_of_matrix_rate']:.0f} % |")


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="timed steps in one turn")
    parser.add_argument("--json", help="file to write the table to as well")
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
    rows = []
    for bound, width, image, batch in WORK:
        steps = {turn: pytorch_step(width, batch, "pgd", turn.layout, image, "cuda", turn.numbers == "bf16", turn.compiled)
                 for turn in TURNS}
        pytorch, engine = {turn: [] for turn in TURNS}, {numbers: [] for numbers in NUMBERS}
        for _ in range(options.rounds):
            for turn, step in steps.items():
                allow_tf32(torch, turn.numbers == "tf32")
                try:
                    pytorch[turn].append(time_pytorch(step, options.repeat))
                except Exception as error:  # one way of running PyTorch that fails shall not hide the others
                    print(f"<!-- {turn.name}: {type(error).__name__} -->")
                    pytorch[turn].append(float("nan"))
            for numbers, results in engine.items():
                results.append(time_engine(options.program, width, image, batch, numbers, options.repeat))
        for turn in TURNS:
            rows.append(compare(f"{'x'.join(map(str, image))}, batch {batch}", turn, pytorch[turn], engine[turn.numbers], roof))
            print(table_line(bound, rows[-1]), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"device": torch.cuda.get_device_name(), "pytorch": torch.__version__,
                                                  "matrix_tflops": roof, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
