// Comes before protoc's code (CMakeLists.txt). That checks the UTF-8 of every string whenever it writes a
// message, only to log an error and go on: a twentieth of the engine's work, for texts that were checked when
// they were read (JSON by libs/contract, messages by their parser, which refuses). So writing does not look
// again.
#pragma once

#include <google/protobuf/wire_format_lite.h>

#define VerifyUtf8String(...) SERIALIZE  // "WireFormatLite::SERIALIZE;": a constant, and nothing
