"""The closed loop: breed, render, show, hear, judge, score, and again."""
