// CHECK guards money and memory and stays on in release: a broken invariant ends the process before it
// reaches disk. Bad input is never a CHECK; it is an Error.
#pragma once

namespace micropay {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(...)                                                \
  do {                                                            \
    if (!(__VA_ARGS__)) [[unlikely]]                              \
      ::micropay::check_failed(#__VA_ARGS__, __FILE__, __LINE__); \
  } while (false)
