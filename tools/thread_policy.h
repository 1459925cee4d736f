// How idle threads wait: briefly awake, then asleep.
#pragma once

namespace inocula {

/// OpenMP's threads spin for milliseconds when they wait for one another. Where another process wants the
/// same cores that makes a step ten times slower, and on a free machine it gains nothing here. libgomp reads
/// its setting before main() begins, so where the user has not chosen one this starts the same program once
/// more, with it; otherwise, or where that fails, it returns.
void prefer_sleeping_threads(char** argv);

}  // namespace inocula
