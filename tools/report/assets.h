// What a report's page carries with it: style and scripts, compiled into the program.
#pragma once

#include <string_view>

namespace inocula::assets {

std::string_view style();     ///< style.css
std::string_view vega();      ///< the modules of Vega that charts need, each for modules.js
std::string_view charts();    ///< charts.js, which draws them
std::string_view licences();  ///< of Vega and what it contains

}  // namespace inocula::assets
