// What an interrupted evaluation has found, in a file beside the one that it will write.
#pragma once

#include <string>

#include "attacks/answer_store.h"
#include "io/record_file.h"
#include "tools/evaluator_options.h"
#include "tools/subject.h"

namespace inocula {

/// OUT.state while OUT is being made. The batches that it holds are not run again, so that an evaluation that
/// was killed goes on where it stopped and ends with the same figures.
class AnswerFile final : public attacks::AnswerStore {
 public:
  /// `begin` says what becomes of what an earlier process left; the same are network, data, constraints,
  /// device, threads and arithmetic. Errors: as RecordFile.
  AnswerFile(const std::string& out, RecordFile::Begin begin, const EvaluatorOptions& evaluator,
             const SubjectOptions& options, const Subject& subject);
  bool recall(const std::string& key, attacks::BatchAnswers& answers) override;
  void keep(const std::string& key, const attacks::BatchAnswers& answers) override;
  /// OUT is written: the file goes.
  void remove() { file_.remove(); }

 private:
  RecordFile file_;
};

}  // namespace inocula
