// toml++ in, CLI11 options out.
#include "tools/config_file.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "engine/error.h"
#include "tools/config_table.h"
#include "tools/nearest_word.h"

namespace inocula {

namespace {

constexpr std::size_t kLargestFile = 1 << 20;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    fail(ErrorKind::no_input, path, ": cannot be read, expected a TOML file");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kLargestFile) fail(ErrorKind::config, path, ": is larger than 1 MiB, expected flags");
  return text;
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

/// A flag's names without its dashes, but for those that mean the opposite: no_flip = false would be a
/// riddle.
std::vector<std::string> positive_names(const CLI::Option& option) {
  std::vector<std::string> names = option.get_lnames();
  const std::vector<std::string>& negative = option.get_fnames();
  std::erase_if(names, [&](const std::string& name) {
    return std::find(negative.begin(), negative.end(), name) != negative.end();
  });
  return names;
}

std::vector<std::string> known_keys(const CLI::App& app) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : positive_names(*option))
      if (name != "help" && name != "config") keys.push_back(name);
  return keys;
}

[[noreturn]] void refuse_key(const CLI::App& app, const std::string& where, const std::string& flag,
                             const std::vector<std::string>& known) {
  const CLI::Option* option = app.get_option_no_throw("--" + flag);
  if (option != nullptr && option->check_fname(flag))
    fail(ErrorKind::config, where, ": unknown key, expected ", positive_names(*option).front(),
         " = true or false");
  const std::string nearest = nearest_word(flag, known);
  fail(ErrorKind::config, where, ": unknown key",
       nearest.empty() ? ", expected a flag's name" : ", did you mean '" + nearest + "'?");
}

/// Null where the command line wins.
std::optional<FileSetting> apply(CLI::App& app, const std::string& path, const TomlEntry& entry,
                                 const std::vector<std::string>& withheld) {
  const toml::node& value = *entry.value;
  const std::string where = place_of(path, entry);
  std::string flag = entry.key;
  std::replace(flag.begin(), flag.end(), '_', '-');
  std::vector<std::string> known = known_keys(app);
  std::erase_if(known, [&](const std::string& name) {
    return std::find(withheld.begin(), withheld.end(), name) != withheld.end();
  });
  if (std::find(known.begin(), known.end(), flag) == known.end()) refuse_key(app, where, flag, known);
  CLI::Option* option = app.get_option("--" + flag);
  if (option->count() > 0) return std::nullopt;
  std::vector<std::string> texts;
  const bool takes_no_value = option->get_items_expected_max() == 0;
  const auto add = [&](const toml::node& item) {
    if (item.is_boolean() != takes_no_value)
      fail(ErrorKind::config, where, ": expected ", takes_no_value ? "true or false" : "a value");
    option->add_result(value_text(item, where));
    if (item.is_string()) texts.push_back(item.as_string()->get());
  };
  try {
    if (const toml::array* list = value.as_array()) {
      if (list->empty()) fail(ErrorKind::config, where, ": the list is empty, expected a value");
      for (const toml::node& item : *list) add(item);
    } else {
      add(value);
    }
    option->run_callback();
  } catch (const CLI::Error& e) {
    fail(ErrorKind::config, where, ": ", e.what());
  }
  return FileSetting{where, flag, texts};
}

bool separates(char c) {
  return c == '-' || c == '_' || c == ' ';
}

/// How many letters of the flag's name `message` begins with if it begins with all of them, else 0; a name
/// may be written --weight-decay, weight_decay or weight decay.
std::size_t letters_of_name(std::string_view message, std::string_view flag) {
  std::size_t at = 0, letters = 0;
  for (const char c : flag) {
    if (separates(c)) continue;
    while (at < message.size() && separates(message[at])) ++at;
    if (at == message.size() || message[at] != c) return 0;
    ++at, ++letters;
  }
  const bool ends = at == message.size() || !std::isalnum(static_cast<unsigned char>(message[at]));
  return ends ? letters : 0;
}

/// The setting that a usage error is about; null where it is about none of them. Such errors begin with the
/// flag's name or with its quoted value.
// By the words alone: many of these errors come from floors that know no flags (schedules, specs, models),
// and handing a flag's name down to each would tie it to the command line. Where no setting fits, the error
// stays one of usage and only lacks its line in the file.
const FileSetting* find_refused(const std::vector<FileSetting>& settings, const std::string& message) {
  const FileSetting* best = nullptr;
  std::size_t most = 0;
  for (const FileSetting& s : settings) {
    for (const std::string& text : s.texts)
      if (message.rfind("'" + text + "'", 0) == 0) return &s;
    const std::size_t letters = letters_of_name(message, s.flag);
    if (letters > most) best = &s, most = letters;
  }
  return best;
}

}  // namespace

toml::table read_toml(const std::string& path) {
  try {
    return toml::parse(read_text(path), path);
  } catch (const toml::parse_error& e) {
    fail(ErrorKind::config, path, ":", e.source().begin.line, ": ", e.description());
  }
}

std::vector<TomlEntry> entries_of(const toml::table& table) {
  std::vector<TomlEntry> entries;
  for (const auto& [key, value] : table) entries.push_back({std::string(key.str()), &value});
  std::sort(entries.begin(), entries.end(), [](const TomlEntry& a, const TomlEntry& b) {
    return a.value->source().begin.line < b.value->source().begin.line;
  });
  return entries;
}

std::string place_of(const std::string& path, const TomlEntry& entry) {
  return path + ":" + std::to_string(entry.value->source().begin.line) + ": " + entry.key;
}

std::vector<FileSetting> apply_config_table(CLI::App& app, const std::string& path, const toml::table& table,
                                            const std::vector<std::string>& withheld) {
  std::vector<FileSetting> settings;
  for (const TomlEntry& entry : entries_of(table))
    if (std::optional<FileSetting> s = apply(app, path, entry, withheld)) settings.push_back(std::move(*s));
  return settings;
}

std::vector<FileSetting> apply_config_file(CLI::App& app, const std::string& path) {
  return apply_config_table(app, path, read_toml(path), {});
}

void blame_file(const std::vector<FileSetting>& settings, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    const FileSetting* refused = e.kind() == ErrorKind::usage ? find_refused(settings, e.what()) : nullptr;
    if (refused == nullptr) throw;
    fail(ErrorKind::config, refused->where, ": ", e.what());
  }
}

}  // namespace inocula
