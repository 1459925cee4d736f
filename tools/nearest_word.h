// Which known word a typo most likely meant.
#pragma once

#include <string>
#include <vector>

namespace inocula {

/// The word of smallest Levenshtein distance, the first among equals; empty where that is more than half of
/// the longer word's letters.
std::string nearest_word(const std::string& typo, const std::vector<std::string>& words);

}  // namespace inocula
