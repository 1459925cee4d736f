// What a device promises about bits (docs/adr/0006-determinism-levels.md).
#pragma once

namespace inocula {

enum class Determinism {
  reproducible,  ///< the same binary, device model and settings give the same bits, run after run
  fast,          ///< no promise: the vendor may add in any order and multiply fp32 in TF32
};

}  // namespace inocula
