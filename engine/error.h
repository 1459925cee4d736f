// How Inocula fails: one exception type, whose kind says who can mend it and whose text is one line.
#pragma once

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

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

/// Memory that is not there: kind missing_package, with the figures for those who can ask for less.
class OutOfMemory : public Error {
 public:
  OutOfMemory(const std::string& what, std::string device, std::size_t needed, std::size_t free)
      : Error(ErrorKind::missing_package, what), device_(std::move(device)), needed_(needed), free_(free) {}
  const std::string& device() const { return device_; }
  std::size_t needed() const { return needed_; }  ///< bytes, in one piece; 0 where a library asked for them
  std::size_t free() const { return free_; }      ///< bytes

 private:
  std::string device_;
  std::size_t needed_, free_;
};

/// Throws OutOfMemory: "out of memory on cuda:0: 3.2 GiB are needed in one piece, 1.1 GiB are free; ADVICE".
/// Where more is free than needed it is so in pieces, which is said; where `needed` is 0 it is not known.
[[noreturn]] inline void fail_out_of_memory(const std::string& device, std::size_t needed, std::size_t free,
                                            const std::string& advice = "a smaller batch needs less") {
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  std::ostringstream text;
  text << "out of memory on " << device << ": ";
  if (needed > 0) text << static_cast<double>(needed) / kGibibyte << " GiB are needed in one piece, ";
  text << static_cast<double>(free) / kGibibyte << " GiB are free"
       << (needed > 0 && needed <= free ? " in smaller ones; " : "; ") << advice;
  throw OutOfMemory(text.str(), device, needed, free);
}

}  // namespace inocula
