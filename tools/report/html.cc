// Escaping and formatting.
#include "tools/report/html.h"

#include <cstdio>

namespace inocula::html {

std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text) switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  return html;
}

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string percent(const nlohmann::ordered_json& object, const char* key) {
  return object.contains(key) && object[key].is_number()
             ? printed("%.1f&nbsp;%%", 100 * object[key].get<double>())
             : "–";
}

std::string decimal(const nlohmann::ordered_json& object, const char* key, const char* format) {
  return object.contains(key) && object[key].is_number() ? printed(format, object[key].get<double>()) : "–";
}

double number_or(const nlohmann::ordered_json& object, const char* key, double otherwise) {
  return object.contains(key) && object[key].is_number() ? object[key].get<double>() : otherwise;
}

std::string section(const std::string& id, const std::string& heading, const std::string& words,
                    const std::string& body) {
  if (body.empty()) return "";
  return "<section id=\"" + id + "\"><h2>" + heading + "</h2>\n" +
         (words.empty() ? "" : "<p class=\"words\">" + words + "</p>\n") + body + "</section>\n";
}

}  // namespace inocula::html
