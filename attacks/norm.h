// The norms in which attacks are bounded and measured.
#pragma once

#include <string>

namespace inocula::attacks {

enum class Norm { linf, l2, l1, l0 };
std::string to_string(Norm norm);

}  // namespace inocula::attacks
