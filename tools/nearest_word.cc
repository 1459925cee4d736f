// Levenshtein distance by rows.
#include "tools/nearest_word.h"

#include <algorithm>
#include <numeric>

namespace inocula {

namespace {

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_word(const std::string& typo, const std::vector<std::string>& words) {
  const auto best = std::min_element(
      words.begin(), words.end(),
      [&](const std::string& a, const std::string& b) { return distance(typo, a) < distance(typo, b); });
  if (best == words.end() || 2 * distance(typo, *best) > std::max(typo.size(), best->size())) return {};
  return *best;
}

}  // namespace inocula
