// toml++ in, CLI11 options out.
#include "tools/config_file.h"

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "engine/error.h"
#include "tools/nearest_word.h"

namespace inocula {

namespace {

constexpr std::size_t kLargestFile = 1 << 20;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    fail(ErrorKind::no_input, path, ": cannot be read, expected a TOML file");
  if (text.str().size() > kLargestFile)
    fail(ErrorKind::config, path, ": is larger than 1 MiB, expected flags");
  return text.str();
}

std::string value_text(const toml::node& node, const std::string& where) {
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_boolean()) return v->get() ? "true" : "false";
  if (const auto* v = node.as_integer()) return std::to_string(v->get());
  if (const auto* v = node.as_floating_point()) {
    std::ostringstream text;
    text.precision(17);
    text << v->get();
    return text.str();
  }
  fail(ErrorKind::config, where, ": expected a number, a text, true or false");
}

std::vector<std::string> known_keys(CLI::App& app) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      if (name != "help" && name != "config") keys.push_back(name);
  return keys;
}

void apply(CLI::App& app, const std::string& path, const std::string& key, const toml::node& value) {
  const std::string where = path + ":" + std::to_string(value.source().begin.line) + ": " + key;
  std::string flag = key;
  std::replace(flag.begin(), flag.end(), '_', '-');
  const std::vector<std::string> known = known_keys(app);
  if (std::find(known.begin(), known.end(), flag) == known.end())
    fail(ErrorKind::config, where, ": unknown key, did you mean '", nearest_word(flag, known), "'?");
  CLI::Option* option = app.get_option("--" + flag);
  if (option->count() > 0) return;  // the command line wins
  try {
    if (const toml::array* list = value.as_array()) {
      for (const toml::node& item : *list) option->add_result(value_text(item, where));
      if (list->empty()) return;
    } else {
      option->add_result(value_text(value, where));
    }
    option->run_callback();
  } catch (const CLI::Error& e) {
    fail(ErrorKind::config, where, ": ", e.what());
  }
}

}  // namespace

void apply_config_file(CLI::App& app, const std::string& path) {
  toml::table table;
  try {
    table = toml::parse(read_text(path), path);
  } catch (const toml::parse_error& e) {
    fail(ErrorKind::config, path, ":", e.source().begin.line, ": ", e.description());
  }
  // In the file's order, so that the first mistake is the one that is reported.
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, value] : table) entries.emplace_back(&key, &value);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.second->source().begin.line < b.second->source().begin.line;
  });
  for (const auto& [key, value] : entries) apply(app, path, std::string(key->str()), *value);
}

}  // namespace inocula
