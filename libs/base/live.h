// A value that may change while the process runs: written by whoever takes a setting over, read by any thread
// at the cost of a load. Copies share it.
//
//   Live<Mode> mode(Mode::kEnforce);
//   settings.live("fraud.mode", [mode](const std::string& text) { mode.set(mode_of(text)); return true; });
//   if (mode.get() == Mode::kOff) …
#pragma once

#include <atomic>
#include <memory>

namespace micropay {

template <typename T>
class Live {
 public:
  Live(T value = {}) : value_(std::make_shared<std::atomic<T>>(value)) {}
  T get() const { return value_->load(std::memory_order_relaxed); }
  void set(T value) const { value_->store(value, std::memory_order_relaxed); }

 private:
  std::shared_ptr<std::atomic<T>> value_;
};

}  // namespace micropay
