"""Gives hosts back what a cable's energy changed on their bills."""
