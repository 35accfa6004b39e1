"""`kubia-pet probe`: a witness that counts what is lost while others drain, upgrade or break things."""
