"""The rig: stage, streams, triggers, and a simulator beside each."""
