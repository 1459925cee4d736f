// What a device promises about bits (docs/adr/0006-determinism-levels.md).
#pragma once

namespace inocula {

enum class Determinism {
  reproducible,  ///< the same binary, device model and settings give the same bits, run after run
  fast,          ///< no promise: the vendor may add in any order
};

/// Which of a vendor's implementations may be chosen.
struct Admission {
  Determinism determinism = Determinism::reproducible;
  /// fp32 multiplied in TF32, which keeps eleven bits of the twenty-four. Such an implementation may well be
  /// deterministic.
  bool tf32 = false;
};

}  // namespace inocula
