"""Scanner-synced presentation: pulses counted, onsets planned in absolute time, runs shown and told apart."""
