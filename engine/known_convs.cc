// Descriptions of convolutions, and the list of what was chosen for them.
#include "engine/known_convs.h"

#include <sstream>

namespace inocula {

namespace {

std::string describe_pass(const char* pass, const ConvGeometry& g) {
  std::ostringstream text;
  text << pass << " " << g.in.to_string() << " to " << g.out.to_string() << ", " << g.window.to_string();
  if (g.groups != 1) text << ", " << g.groups << " groups";
  if (g.in_layout == Layout::plain) text << ", plain input";
  if (g.element == Element::bf16) text << ", bf16";
  return text.str();
}

}  // namespace

std::vector<ConvChoice> KnownConvs::choices() const {
  std::vector<ConvChoice> list;
  for (const auto& [description, conv] : known_) list.push_back({description, conv->algorithm()});
  return list;
}

std::string describe(const ConvGeometry& g, const ConvEpilogue& e) {
  return describe_pass("forward", g) + (e.bias ? " + bias" : "") + (e.residual ? " + residual" : "") +
         (e.relu ? " + ReLU" : "") + (e.sign_bits ? " + sign bits" : "");
}

std::string describe(const ConvGeometry& g, const GradientEpilogue& e) {
  return describe_pass("backward-data", g) + (e.add ? " + add" : "") + (e.mask ? " + mask" : "");
}

std::string describe(const ConvGeometry& g) {
  return describe_pass("backward-weights", g);
}

}  // namespace inocula
