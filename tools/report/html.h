// Text and numbers as HTML.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace inocula::html {

/// With &, <, >, " and ' as entities: for text and for quoted attributes.
std::string escaped(const std::string& text);

/// By one of printf's formats for a double.
std::string printed(const char* format, double value);

/// "84.5 %" of 0.845, a dash where there is no number.
std::string percent(const nlohmann::ordered_json& object, const char* key);
std::string decimal(const nlohmann::ordered_json& object, const char* key, const char* format = "%.4f");

/// The number under a key, or `otherwise`.
double number_or(const nlohmann::ordered_json& object, const char* key, double otherwise);

/// A section with its heading and what a reader new to the matter should know of it; nothing for an empty
/// body.
std::string section(const std::string& id, const std::string& heading, const std::string& words,
                    const std::string& body);

}  // namespace inocula::html
