// The binary. Everything is in cli.cc and the commands.
#include "app/cli.h"

int main(int argc, char** argv) { return micropay::app::run_cli(argc, argv); }
