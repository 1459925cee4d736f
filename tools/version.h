// The version, as CMake's project() says it.
#pragma once

namespace inocula {
inline constexpr const char* kVersion = INOCULA_VERSION;
}
