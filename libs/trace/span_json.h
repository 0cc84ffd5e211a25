// Spans as the bodies that collectors take: OTLP's JSON (its ExportTraceServiceRequest) and Zipkin's v2.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "libs/base/trace.h"

namespace micropay {

using SpanBatch = std::span<const std::unique_ptr<SpanRecord>>;

std::string otlp_json(SpanBatch spans);
std::string zipkin_json(SpanBatch spans);

}  // namespace micropay
