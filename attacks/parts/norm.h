// The norms in which attacks are bounded and measured.
#pragma once

#include <string>

#include "kernels/nearest.h"

namespace inocula::attacks {

enum class Norm { linf, l2, l1, l0 };
std::string to_string(Norm norm);
/// The same as kernels measure it.
Distance distance_of(Norm norm);

}  // namespace inocula::attacks
