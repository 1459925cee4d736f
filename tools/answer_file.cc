// Batches' answers as records: counts, then the arrays one after the other.
#include "tools/answer_file.h"

#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "io/digest.h"
#include "io/model_card.h"
#include "tools/version.h"

namespace inocula {

namespace {

template <class T>
void put(std::string& to, const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto count = static_cast<std::uint64_t>(values.size());
  to.append(reinterpret_cast<const char*>(&count), sizeof count);
  to.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

/// Takes an array off the front; whether it was there.
template <class T>
bool take(std::string_view& from, std::vector<T>& values) {
  std::uint64_t count = 0;
  if (from.size() < sizeof count) return false;
  std::memcpy(&count, from.data(), sizeof count);
  from.remove_prefix(sizeof count);
  if (count > from.size() / sizeof(T)) return false;
  values.resize(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(values.data(), from.data(), values.size() * sizeof(T));
  from.remove_prefix(values.size() * sizeof(T));
  return true;
}

/// What all batches depend on beyond their keys.
std::string identity_of(const EvaluatorOptions& e, const SubjectOptions& o, const Subject& subject) {
  const ModelFiles model = find_model(o.model);
  std::string text = kVersion;
  for (const std::string& part :
       {xxh3_128_of_file(model.card), xxh3_128_of_file(model.weights), xxh3_128_of_file(o.data),
        subject.device.name(), std::to_string(subject.device.threads()), o.common.determinism,
        std::string(o.common.admits_tf32() ? "tf32" : "fp32"),
        std::string(o.common.precise ? "precise" : "fast")})
    text += ' ' + part;
  for (const std::string& file : {e.region, e.eps_scale})
    text += ' ' + (file.empty() ? "none" : xxh3_128_of_file(file));
  return text + ' ' + e.channels + ' ' + std::to_string(e.bits);
}

}  // namespace

AnswerFile::AnswerFile(const std::string& out, RecordFile::Begin begin, const EvaluatorOptions& evaluator,
                       const SubjectOptions& options, const Subject& subject)
    : file_(out + ".state", begin, identity_of(evaluator, options, subject)) {}

bool AnswerFile::recall(const std::string& key, attacks::BatchAnswers& a) {
  const std::optional<std::string> record = file_.find(key);
  if (!record) return false;
  std::string_view rest = *record;
  std::vector<std::uint64_t> counts;
  if (!take(rest, counts) || counts.size() != 2 || !take(rest, a.zero_gradients) ||
      !take(rest, a.all_gradients) || !take(rest, a.clean_logits) || !take(rest, a.logits) ||
      !take(rest, a.norms) || !take(rest, a.images) || !take(rest, a.bins) || !rest.empty())
    return false;
  a.passes = {static_cast<std::int64_t>(counts[0]), static_cast<std::int64_t>(counts[1])};
  return true;
}

void AnswerFile::keep(const std::string& key, const attacks::BatchAnswers& a) {
  std::string record;
  put(record, std::vector<std::uint64_t>{static_cast<std::uint64_t>(a.passes.forward),
                                         static_cast<std::uint64_t>(a.passes.backward)});
  put(record, a.zero_gradients);
  put(record, a.all_gradients);
  put(record, a.clean_logits);
  put(record, a.logits);
  put(record, a.norms);
  put(record, a.images);
  put(record, a.bins);
  file_.add(key, record);
}

}  // namespace inocula
