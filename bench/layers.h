// The two halves of bench_layers.
#pragma once

#include "bench/suite.h"

namespace inocula::bench {

/// conv/SHAPE/PASS/WAY: every convolution of kNetworks; WAY is `fast`, or `direct` as by oneDNN, or `bf16`.
void add_convolutions(Suite& suite);
/// layer/KIND/SHAPE/PASS: every other layer of kNetworks, and the layers that none of them has.
void add_layers(Suite& suite);

}  // namespace inocula::bench
