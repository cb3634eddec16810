"""The writes of this room: addresses are linked, messages are received, and deliveries are sent."""
