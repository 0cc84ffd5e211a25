// From argv to a command: parsing, help, and errors that name what was meant. The exit code of the process is
// its answer.
#pragma once

namespace micropay::app {
int run_cli(int argc, const char* const* argv);
}
