"""What the assistant says in the model's stead."""

COULD_NOT = "I could not answer just now. Please try again later."
CANNOT_HELP = "I cannot help with that."
