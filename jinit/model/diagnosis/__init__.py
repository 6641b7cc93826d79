"""What can be wrong with parameters: measured, judged against chance, put in words."""
