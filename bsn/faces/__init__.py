"""Faces in photos: MTCNN, and the way to look for no smaller ones than are wanted."""
