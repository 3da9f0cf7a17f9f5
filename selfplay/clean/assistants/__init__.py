"""What cleaning asks of models, and what they answered."""
