// How Inocula fails: one exception type, whose kind says who can mend it and whose text is one line.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace inocula {

/// The command line turns a kind into its exit code (sysexits); a library user may switch on it.
enum class ErrorKind {
  usage,            ///< 64: the caller asked for something that cannot be
  bad_data,         ///< 65: a file's or array's content is not what it claims to be
  no_input,         ///< 66: a file that should be read is missing or unreadable
  missing_package,  ///< 69: the machine lacks a library or a capability
  internal,         ///< 70: a defect of Inocula's own
  cannot_create,    ///< 73: an output cannot be created
  io,               ///< 74: reading or writing broke off
  interrupted,      ///< 75: stopped on request, after a checkpoint
  config,           ///< 78: a configuration file or a stored run is unusable
};

/// The library throws nothing else on purpose, never prints and never exits.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws an Error whose text is the parts one after the other: fail(ErrorKind::bad_data, path, ": …", n).
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(kind, text.str());
}

}  // namespace inocula
