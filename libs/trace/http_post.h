// One POST after another to one URL, over a connection that is kept. Used by one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libs/base/time.h"

namespace micropay {

class HttpPost {
 public:
  explicit HttpPost(std::string url);
  ~HttpPost();

  struct Answer {
    uint32_t status = 0;  // 0: none
    std::string problem;  // why there is none
  };
  // Ends early when `cancelled` says so.
  Answer send(const std::string& json, Duration timeout, const std::function<bool()>& cancelled);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
