"""The commands of ``closedloop``, a module for each group; heavy imports wait until a command runs."""
