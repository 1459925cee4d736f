// TOML in, options out.
#include "tools/study_file.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "engine/error.h"
#include "tools/config_table.h"
#include "tools/nearest_word.h"
#include "tools/report/sources.h"

namespace inocula {

namespace {

/// What a study decides for every part: no keys of its file's tables.
const std::vector<std::string> kDecided = {"data",      "seed",        "out",    "resume",
                                           "overwrite", "config",      "device", "quiet",
                                           "threads",   "determinism", "tf32",   "precise"};

[[noreturn]] void refuse(const std::string& path, const TomlEntry& entry, const std::string& expected) {
  fail(ErrorKind::config, place_of(path, entry), ": expected ", expected);
}

const toml::table& table_of(const std::string& path, const TomlEntry& entry) {
  const toml::table* table = entry.value->as_table();
  if (table == nullptr) refuse(path, entry, "a table: [" + entry.key + "]");
  return *table;
}

std::string text_of(const std::string& path, const TomlEntry& entry) {
  const auto* text = entry.value->as_string();
  if (text == nullptr || text->get().empty()) refuse(path, entry, "a text");
  return text->get();
}

std::vector<std::uint64_t> seeds_of(const std::string& path, const TomlEntry& entry) {
  const char* expected = "a list of different whole numbers from 0 on, such as [0, 1, 2]";
  const toml::array* list = entry.value->as_array();
  if (list == nullptr || list->empty()) refuse(path, entry, expected);
  std::vector<std::uint64_t> seeds;
  for (const toml::node& item : *list) {
    const auto* number = item.as_integer();
    if (number == nullptr || number->get() < 0) refuse(path, entry, expected);
    const auto seed = static_cast<std::uint64_t>(number->get());
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end()) refuse(path, entry, expected);
    seeds.push_back(seed);
  }
  return seeds;
}

StudyMethod read_method(const std::string& path, const TomlEntry& entry, const toml::table* shared,
                        const CommonOptions& common) {
  if (!is_method_name(entry.key)) refuse(path, entry, "a method's name of letters, digits, - and _");
  StudyMethod m{entry.key, {}};
  CLI::App flags;
  m.train.add_flags(flags);
  // What is set already is left alone: the method's own flags come first.
  std::vector<FileSetting> settings = apply_config_table(flags, path, table_of(path, entry), kDecided);
  if (shared != nullptr)
    for (FileSetting& s : apply_config_table(flags, path, *shared, kDecided))
      settings.push_back(std::move(s));
  m.train.common = common;
  blame_file(settings, [&] {
    m.train.trainer_spec();
    m.train.on_overfitting();
    make_method(m.train.method);
  });
  return m;
}

EvaluationOptions read_evaluation(const std::string& path, const toml::table* table,
                                  const CommonOptions& common) {
  EvaluationOptions e;
  CLI::App flags;
  e.add_flags(flags);
  std::vector<FileSetting> settings;
  if (table != nullptr) {
    std::vector<std::string> decided = kDecided;
    decided.push_back("model");
    settings = apply_config_table(flags, path, *table, decided);
  }
  e.subject.common = common;
  blame_file(settings, [&] { e.check(); });
  return e;
}

/// What a published value's key stands for: clean, or the one spec that it is or is the name of.
std::string published_against(const std::string& path, const TomlEntry& entry,
                              const EvaluationOptions& evaluation) {
  if (entry.key == "clean") return entry.key;
  std::vector<std::string> found;
  std::string known = "clean";
  for (const std::vector<std::string>& specs : {evaluation.attacks, evaluation.corruptions})
    for (const std::string& spec : specs) {
      if (spec == entry.key) return spec;
      const std::string name = spec.substr(0, spec.find(':'));
      known += ", " + name;
      if (name == entry.key) found.push_back(spec);
    }
  if (found.empty()) refuse(path, entry, "what [evaluate] asks for, one of: " + known);
  if (found.size() > 1)
    refuse(path, entry,
           "one of the " + std::to_string(found.size()) + " specs of that name, such as '" + found[0] + "'");
  return found[0];
}

/// [published.NAME] SCORE.AGAINST = number.
void read_published(const std::string& path, const TomlEntry& method, StudyPlan& plan) {
  const std::vector<std::string> scores = {"accuracy", "rmsce", "entropy", "entropy_over_samples"};
  for (const TomlEntry& score : entries_of(table_of(path, method))) {
    if (std::find(scores.begin(), scores.end(), score.key) == scores.end())
      refuse(path, score, "accuracy, rmsce, entropy or entropy_over_samples");
    for (const TomlEntry& against : entries_of(table_of(path, score))) {
      const std::optional<double> value = against.value->value<double>();
      if (!value) refuse(path, against, "a number, shares from 0 to 1");
      plan.published.push_back(
          {method.key, score.key, published_against(path, against, plan.evaluation), *value});
    }
  }
}

void read_published(const std::string& path, const toml::table& table, StudyPlan& plan) {
  std::vector<std::string> names;
  for (const StudyMethod& m : plan.methods) names.push_back(m.name);
  for (const TomlEntry& entry : entries_of(table)) {
    if (entry.key == "source") {
      plan.published_source = text_of(path, entry);
      continue;
    }
    if (std::find(names.begin(), names.end(), entry.key) == names.end()) {
      const std::string nearest = nearest_word(entry.key, names);
      refuse(path, entry,
             "source, or the name of a method" + (nearest.empty() ? "" : ", such as " + nearest));
    }
    read_published(path, entry, plan);
  }
  if (plan.published_source.empty())
    fail(ErrorKind::config, path, ": [published] lacks source, expected where its values stand");
}

}  // namespace

StudyPlan read_study(const std::string& path, const CommonOptions& common) {
  const toml::table file = read_toml(path);
  StudyPlan plan;
  plan.seeds = {common.seed};
  const toml::table *train = nullptr, *evaluation = nullptr, *methods = nullptr, *published = nullptr;
  const std::vector<std::string> known = {"title",   "data",     "seeds",    "train",
                                          "methods", "evaluate", "published"};
  for (const TomlEntry& entry : entries_of(file)) {
    if (entry.key == "title") {
      plan.title = text_of(path, entry);
    } else if (entry.key == "data") {
      plan.data = text_of(path, entry);
    } else if (entry.key == "seeds") {
      plan.seeds = seeds_of(path, entry);
    } else if (entry.key == "train") {
      train = &table_of(path, entry);
    } else if (entry.key == "evaluate") {
      evaluation = &table_of(path, entry);
    } else if (entry.key == "published") {
      published = &table_of(path, entry);
    } else if (entry.key == "methods") {
      methods = &table_of(path, entry);
    } else {
      const std::string nearest = nearest_word(entry.key, known);
      fail(ErrorKind::config, place_of(path, entry), ": unknown key",
           nearest.empty()
               ? ", expected title, data, seeds, [train], [methods.NAME], [evaluate] or [published]"
               : ", did you mean '" + nearest + "'?");
    }
  }
  if (methods == nullptr || methods->empty())
    fail(ErrorKind::config, path, ": names no method, expected at least one table [methods.NAME]");
  for (const TomlEntry& entry : entries_of(*methods))
    plan.methods.push_back(read_method(path, entry, train, common));
  plan.evaluation = read_evaluation(path, evaluation, common);
  if (published != nullptr) read_published(path, *published, plan);
  return plan;
}

}  // namespace inocula
