// Whether there is a GPU, and whether it did its work.
#pragma once

namespace inocula::test {

/// GPUs that the driver shows; 0 without a driver.
int count_gpus();

/// Waits for the current device; a failed check names `what` where something went wrong on it.
void require_done(const char* what);

}  // namespace inocula::test
