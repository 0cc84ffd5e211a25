// placeholder
#pragma once
#include "libs/sqlserver/sql_link.h"
namespace micropay {
class ProjectionRunner {
 public:
  void nudge() {}
};
}  // namespace micropay
