// Norms by name.
#include "attacks/parts/norm.h"

namespace inocula::attacks {

std::string to_string(Norm norm) {
  switch (norm) {
    case Norm::linf:
      return "linf";
    case Norm::l2:
      return "l2";
    case Norm::l1:
      return "l1";
    case Norm::l0:
      break;
  }
  return "l0";
}

Distance distance_of(Norm norm) {
  switch (norm) {
    case Norm::linf:
      return Distance::linf;
    case Norm::l2:
      return Distance::l2;
    case Norm::l1:
      return Distance::l1;
    case Norm::l0:
      break;
  }
  return Distance::l0;
}

}  // namespace inocula::attacks
