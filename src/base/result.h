#pragma once

// What can fail returns Result<T>: a value, or an Error that says operation, subject and reason.
//
//   Result<UniqueFd> open_read(const std::string& path);
//   NI_TRY(const UniqueFd fd, open_read(path));   // returns the Error upward, or goes on with fd

#include <string>
#include <utility>
#include <variant>

namespace ni {

struct Error {
  std::string operation;  // a verb: "open", "bind", "parse"
  std::string subject;    // what it was done to: a path, an address, a variable
  int code = 0;           // errno of the failed call; 0 when it was not a system call
  std::string reason;     // why, when `code` does not say it
};

// "cannot open /x: No such file or directory"
std::string to_string(const Error& error);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const noexcept { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }
  T value_or(T fallback) && { return *this ? std::move(*this).value() : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  explicit operator bool() const noexcept { return !failed_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace ni

#define NI_CONCAT_(a, b) a##b
#define NI_CONCAT(a, b) NI_CONCAT_(a, b)
#define NI_TRY_(result, declaration, expression) \
  auto result = (expression);                    \
  if (!(result)) {                               \
    return std::move(result).error();            \
  }                                              \
  declaration = std::move(result).value()
#define NI_TRY(declaration, expression) \
  NI_TRY_(NI_CONCAT(ni_try_, __LINE__), declaration, expression)
