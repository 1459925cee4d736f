// `inocula predict`: logits of a split, as arrays.
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "attacks/evaluate.h"
#include "io/array_file.h"
#include "tools/command.h"
#include "tools/subject.h"

namespace inocula {

namespace {

struct PredictOptions {
  SubjectOptions subject;
  std::string out;
};

void run_predict(const PredictOptions& o) {
  require_flag(o.out, "--out");
  require_array_file(o.out);
  const Subject s(o.subject);
  const attacks::Clean clean;
  attacks::Evaluator evaluator(*s.network, *s.split, clean,
                               {.batch = o.subject.batch, .seed = o.subject.common.seed});
  const attacks::Evaluation e = evaluator.run();
  const std::int64_t outputs = s.network->graph().classes();
  std::vector<float> logits = e.logits;
  if (s.split->multi_label()) {  // of each label's pair (0, z) the z
    logits.clear();
    for (std::size_t i = 1; i < e.logits.size(); i += 2) logits.push_back(e.logits[i]);
  }
  std::vector<std::int64_t> label_shape{e.n};
  if (s.split->multi_label()) label_shape.push_back(e.columns);
  write_array_file(o.out,
                   {{"logits", view_of(logits, {e.n, outputs})}, {"labels", view_of(e.label, label_shape)}});
  if (!o.subject.common.quiet)
    std::printf("%s: logits (%lld, %lld)\n", o.out.c_str(), static_cast<long long>(e.n),
                static_cast<long long>(outputs));
}

}  // namespace

void add_predict_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<PredictOptions>();
  CLI::App* app = program.add_subcommand(
      "predict", "Logits of a split, as arrays logits (N, K) and labels (N), or (N, K) of several an image");
  o->subject.add_flags(*app);
  app->add_option("--out", o->out, "File to write: .npz or .h5");
  commands.push_back({app, [o] { run_predict(*o); }});
}

}  // namespace inocula
